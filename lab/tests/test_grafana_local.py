"""Grafana beside a lab: what it is given, and that it comes and goes with the lab.

No package of Debian has Grafana, so a stand-in is started here: a program of its name that takes
its settings and answers its health check. With a real one this was not tried.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests
import yaml

from lab.monitoring import watch
from lab.substrates.local import grafana, keeper
from lab.substrates.local.instance import Instance
from lab.substrates.local.local import Local
from lab.substrates.plan import Plan

PLAN = Plan(
    seed=7,
    matches=40,
    workers=1,
    concurrency=1,
    monitoring=watch.monitoring(),
    dashboards=watch.dashboards(),
)
# The kernel takes no path with a space in a first line; the second one is four texts for Python.
STAND_IN = """\
#!/bin/sh
"exec" "{python}" "$0" "$@"
import http.server, os, sys
assert sys.argv[1:3] == ["server", "--homepath"] and os.path.exists(sys.argv[3] + "/conf")
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/health" else 404)
        self.end_headers()
    def log_message(self, *_):
        pass
at = (os.environ["GF_SERVER_HTTP_ADDR"], int(os.environ["GF_SERVER_HTTP_PORT"]))
http.server.HTTPServer(at, Health).serve_forever()
"""
TIMEOUT_S = 10.0
pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    instance = Instance.named("test", tmp_path / ".lab")
    with keeper.in_process(instance):
        made = Local(instance)
        try:
            yield made
        finally:
            made.down()


def _given(folder: Path) -> tuple[dict[str, object], set[str]]:
    """The data source and the dashboards that a Grafana finds in a folder."""
    source = yaml.safe_load((folder / "provisioning/datasources/prometheus.yaml").read_text())
    boards = yaml.safe_load((folder / "provisioning/dashboards/lab.yaml").read_text())
    (provider,) = boards["providers"]
    assert provider["options"]["path"] == f"${grafana.DASHBOARDS}"
    for path in (folder / "dashboards").iterdir():
        assert json.loads(path.read_text("utf-8"))["panels"]
    (found,) = source["datasources"]
    return found, {path.name for path in (folder / "dashboards").iterdir()}


def test_without_a_grafana_everything_is_ready_for_one_from_elsewhere(
    local: Local, tmp_path: Path
) -> None:
    if grafana.is_here():
        pytest.skip("this machine has a Grafana")
    ends = local.up(PLAN)

    assert ends.grafana_url is None
    source, boards = _given(tmp_path / ".lab/test" / grafana.FOLDER)
    assert source["url"] == ends.prometheus_url
    assert boards == set(watch.dashboards())


def test_a_grafana_comes_with_the_lab_and_ends_with_it(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "grafana-1/bin/grafana"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN.format(python=sys.executable))
    program.chmod(0o700)
    (program.parents[1] / "conf").mkdir()
    (program.parents[1] / "conf/defaults.ini").touch()
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    ends = local.up(PLAN)

    assert ends.grafana_url is not None
    assert requests.get(f"{ends.grafana_url}/api/health", timeout=TIMEOUT_S).ok
    (process,) = (
        each for each in psutil.Process().children(recursive=True) if str(program) in each.cmdline()
    )
    settings = process.environ()
    assert Path(settings[grafana.DASHBOARDS]).is_dir()
    assert settings["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert len(settings["GF_SECURITY_ADMIN_PASSWORD"]) > 20
    source, boards = _given(Path(settings["GF_PATHS_PROVISIONING"]).parent)
    assert source["url"] == ends.prometheus_url
    assert boards == set(watch.dashboards())
    local.down()
    assert not process.is_running()
