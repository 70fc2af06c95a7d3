"""`lab browse`: a finished run's series, on a page that anybody can open."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import psutil
import requests
from typer.testing import CliRunner

from lab.cli.app import app
from lab.errors import CannotRun
from lab.tests.series import BEGIN, SECONDS, stored

WITHIN_S = 60.0


def test_each_address_plots_what_the_run_left_and_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    run = tmp_path / "run"
    run.mkdir()
    stored(run, failed=1, slow_s=0.2)
    before = sorted(path.name for path in run.rglob("*"))
    with subprocess.Popen(
        [sys.executable, "-m", "lab", "browse", str(run)],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    ) as browsing:
        assert browsing.stdout is not None
        try:
            said = [browsing.stdout.readline() for _ in range(6)]
            assert f"{SECONDS} s until 2026-" in said[0], said
            assert "Ctrl-C" in said[-1]
            began = psutil.Process(browsing.pid).children(recursive=True)
            assert began
            for line in said[1:-1]:
                what, _, url = line.strip().partition(": ")
                assert requests.get(url, timeout=WITHIN_S).ok
                asked = dict(parse_qsl(urlsplit(url).query))
                assert asked["g0.end_input"].endswith(":00")  # seconds are left out there
                if what != "queues":  # of which these series hold nothing
                    assert _points(url, asked["g0.expr"]) > SECONDS / 2, what
        finally:
            browsing.send_signal(signal.SIGINT)
        assert browsing.wait(WITHIN_S) == 0
    assert not [each for each in began if each.is_running()]
    assert not list(temporary.iterdir())
    assert sorted(path.name for path in run.rglob("*")) == before


def _points(url: str, query: str) -> int:
    at = urlsplit(url)
    answer = requests.get(
        f"{at.scheme}://{at.netloc}/api/v1/query_range",
        params={"query": query, "start": str(BEGIN), "end": str(BEGIN + SECONDS), "step": "1"},
        timeout=WITHIN_S,
    ).json()
    return sum(len(each["values"]) for each in answer["data"]["result"])


def test_a_run_without_series_is_said(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["browse", str(tmp_path)])

    assert isinstance(done.exception, CannotRun)
    assert "holds no series" in str(done.exception)
