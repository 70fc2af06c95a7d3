"""What `lab up` makes of its options, and what the lab that it leaves behind is told."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lab.cli import up
from lab.cli.app import app
from lab.cli.up import grafana_elsewhere
from lab.errors import CannotRun
from lab.monitoring import watch
from lab.monitoring.scrape import RemoteWrite
from lab.paths import PROJECT
from lab.substrates.local import detached
from lab.substrates.local.instance import Instance
from lab.substrates.plan import Link, Plan, Role, as_json

URL = "https://prometheus.example/api/prom/push"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    """A file that only its owner can read."""
    path = tmp_path / "token"
    path.write_text("secret")
    path.chmod(0o600)
    return path


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Plan]]:
    """The name and plan of each lab that would have been held in the foreground."""
    seen: list[tuple[str, Plan]] = []

    def hold(instance: Instance, plan: Plan, say: object, striker: object, beside: object) -> int:
        seen.append((instance.name, plan))
        return 0

    monkeypatch.setattr(detached, "hold", hold)
    return seen


def test_nothing_is_sent_on_unless_it_is_asked_for() -> None:
    assert up.sent_on("default", None, None, None) is None
    assert up.sent_on("default", "", "", None) is None  # variables set to nothing


def test_what_is_sent_on_says_which_lab_it_is_of(password: Path) -> None:
    found = up.sent_on("mine", URL, "123456", password)

    labels = {"cluster": "local-mine", "env": "lab"}
    assert found == RemoteWrite(URL, "123456", str(password), labels)


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_remote_write_needs_all_three_or_none(password: Path, left_out: int) -> None:
    said: list[str | Path | None] = [URL, "123456", password]
    said[left_out] = None

    with pytest.raises(CannotRun, match="all three or none"):
        up.sent_on("mine", *said)  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["prometheus.example", "ftp://x/", "https://me:secret@x/"])
def test_an_address_that_cannot_be_meant_is_refused(password: Path, url: str) -> None:
    with pytest.raises(CannotRun, match="must be https://host/path") as refused:
        up.sent_on("mine", url, "123456", password)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_password_that_others_can_read_is_refused(password: Path, mode: int) -> None:
    password.chmod(mode)

    with pytest.raises(CannotRun, match="chmod 600"):
        up.sent_on("mine", URL, "123456", password)


def test_a_password_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="nowhere: No such file"):
        up.sent_on("mine", URL, "123456", tmp_path / "nowhere")


def test_the_lab_that_goes_on_is_the_one_that_was_asked_for(held: list[tuple[str, Plan]]) -> None:
    """Its keeper reads the plan from a pipe, so no command line shows what is secret in it."""
    asked = Plan(
        seed=11,
        matches=50,
        workers=3,
        concurrency=4,
        page_delay_ms=5,
        settings={Role.WORKER: {"MISSING_TABLE_PREFETCH": "1"}},
        wrapper={Role.API: "some.module"},
        relayed=frozenset(Link),
        monitoring=watch.monitoring(webhook_url="https://hooks.example/secret"),
        flower=True,
        dashboards=watch.dashboards(),
    )
    done = CliRunner().invoke(app, ["hold", "mine"], input=as_json(asked))

    assert done.exit_code == 0, done.output
    assert held == [("mine", asked)]
    assert "secret" not in repr(asked)


def test_grafana_gets_every_dashboard_and_needs_prometheus(held: list[tuple[str, Plan]]) -> None:
    CliRunner().invoke(app, ["up", "--foreground", "--with", "grafana"])
    refused = CliRunner().invoke(
        app, ["up", "--foreground", "--with", "grafana", "--no-monitoring"]
    )

    ((_, plan),) = held
    assert set(plan.dashboards or ()) == {
        path.name for path in (PROJECT / "lab/monitoring/dashboards").glob("*.json")
    }
    assert isinstance(refused.exception, CannotRun)
    assert "--no-monitoring" in str(refused.exception)


def test_a_grafana_from_elsewhere_is_told_in_one_line() -> None:
    """As a shell reads it, with the image of the chart."""
    words = shlex.split(grafana_elsewhere(".lab/my lab/grafana"))
    values = yaml.safe_load((PROJECT / "helm/messaging-platform/values.yaml").read_text("utf-8"))
    image = values["grafana"]["image"]

    assert words[:2] == ["docker", "run"]
    assert words[-1] == f"{image['repository']}:{image['tag']}"
    here = Path.cwd() / ".lab/my lab/grafana"
    mounted = [word for before, word in pairwise(words) if before == "--volume"]
    assert mounted == [
        f"{here}/provisioning:/etc/grafana/provisioning:ro",
        f"{here}/dashboards:/var/lib/grafana-dashboards:ro",
    ]
    assert "MISSING_TABLE_DASHBOARDS=/var/lib/grafana-dashboards" in words


def test_a_lab_is_watched_unless_told_otherwise(held: list[tuple[str, Plan]]) -> None:
    for words in ([], ["--no-monitoring"], ["--with", "flower"]):
        CliRunner().invoke(app, ["up", "--foreground", *words])

    assert [(each.monitoring is not None, each.flower) for _, each in held] == [
        (True, False),
        (False, False),
        (True, True),
    ]
