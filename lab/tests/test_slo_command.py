"""`lab slo` over stored series: what it prints, what it answers to the shell, what it leaves."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from lab.cli.app import app
from lab.errors import CannotRun
from lab.tests.series import stored


def _working_in(folder: Path) -> list[psutil.Process]:
    """What runs below this process and was given a folder; other tests have left theirs there."""
    found = []
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if str(folder) in " ".join(each.cmdline()):
                found.append(each)
    return found


def test_a_good_run_is_met_with_exact_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, temporary = tmp_path / "run", tmp_path / "temporary"
    run.mkdir()
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    stored(run, failed=1, slow_s=0.2)
    before = sorted(path.name for path in run.rglob("*"))
    done = CliRunner().invoke(app, ["slo", str(run), "--json"])

    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["verdict"] == "met"
    success, mean, share = told["objectives"]
    assert success["events"] == 1001
    assert success["value"] == pytest.approx(1000 / 1001)
    assert mean["value"] == pytest.approx(0.2)
    assert share["budget_left"] == pytest.approx(1)
    # Nothing is left behind: no process, no copy, and the run as it was.
    assert sorted(path.name for path in run.rglob("*")) == before
    assert not _working_in(temporary)
    assert not list(temporary.iterdir())


def test_a_bad_run_is_violated_and_says_by_what(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["slo", str(stored(tmp_path, failed=2, slow_s=0.6))])

    assert done.exit_code == 1, done.output
    assert "Violated over the 92 s until 2026-" in done.output
    assert "success, latency-mean." in done.output


def test_a_run_whose_failures_were_scraped_no_more_is_unknown(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["slo", str(stored(tmp_path, failed=0, slow_s=0.2, until=20))])

    assert done.exit_code == 2, done.output
    assert "Unknown over" in done.output
    assert "missing_table_dead_lettered_total" in done.output


def test_the_end_of_a_run_can_be_judged_alone(tmp_path: Path) -> None:
    run = stored(tmp_path, failed=0, slow_s=0.2, busy=60)
    done = CliRunner().invoke(app, ["slo", str(run), "--window", "20s"])

    assert done.exit_code == 2, done.output
    assert "no message was counted" in done.output


def test_nobody_to_ask_is_unknown() -> None:
    done = CliRunner().invoke(app, ["slo", "--url", "http://user:secret@127.0.0.1:1"])

    assert done.exit_code == 2, done.output
    assert "unreachable" in done.output
    assert "secret" not in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--name", "none-such"],
        ["--window", "an hour"],
        ["folder", "--url", "http://127.0.0.1:1"],
        ["no-such-folder"],
    ],
)
def test_what_cannot_be_judged_is_said(arguments: list[str]) -> None:
    done = CliRunner().invoke(app, ["slo", *arguments])
    assert isinstance(done.exception, CannotRun)
