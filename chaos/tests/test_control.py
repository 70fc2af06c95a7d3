"""False passes of the Chaos Toolkit end with exit code 1, by its own command.

The toolkit is real; what the lab says is given here, and is always good: so only the control can
make these runs fail.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from chaostoolkit.cli import cli
from click.testing import CliRunner

from chaos import control, running
from chaos.tests.writing import action, experiment, hypothesis, probe, written
from lab.checker.check import Audit, Counts
from lab.checker.verdict import Verdict
from lab.errors import LabError

FINE = Audit("", None, None, None, 0.0, Verdict.VALID, "all is well", Counts())
Runs = Callable[..., tuple[int, dict[str, Any]]]


@dataclass
class Accounted:
    """A session whose lab has nothing to complain about, unless it is told to."""

    folder: Path
    audit: Audit = FINE
    broken: bool = False
    load: Any = None
    struck: list[str] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    left: bool = False
    lab_name: str = "given"

    @property
    def lab(self) -> Any:
        """What the control asks for."""
        return SimpleNamespace(folder=self.folder, plan=SimpleNamespace(brokers=1))

    def end(self, check: dict[str, Any]) -> Audit:
        """Judge."""
        self.checks.append(check)
        self.left = True
        if self.broken:
            raise LabError("no verdict")
        return self.audit

    def end_load(self) -> None:
        """End it."""
        self.load = None

    def leave(self) -> None:
        """Leave."""
        self.left = True


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Accounted:
    """The session that the control opens."""
    given = Accounted(tmp_path)
    monkeypatch.setattr(running, "Run", lambda name: given)
    return given


@pytest.fixture
def toolkit(tmp_path: Path) -> Iterator[Runs]:
    """Run `chaos run` to its end; gives its exit code and its journal."""

    def run(content: dict[str, Any], *options: str) -> tuple[int, dict[str, Any]]:
        journal = tmp_path / "journal.json"
        said = CliRunner().invoke(
            cli,
            [
                *("--no-version-check", "--log-file", str(tmp_path / "toolkit.log")),
                *("run", "--no-verify-tls", "--journal-path", str(journal), *options),
                str(written(tmp_path, content)),
            ],
        )
        there = json.loads(journal.read_text("utf-8")) if journal.exists() else {}
        return said.exit_code, there

    yield run
    assert running.taken() is None, "a session was left open"


def test_an_experiment_in_which_all_went_well_passes(session: Accounted, toolkit: Runs) -> None:
    """The twin of all the others."""
    code, journal = toolkit(experiment())
    assert (code, journal["status"]) == (0, "completed")
    assert journal["lab"]["problems"] == []
    assert session.checks == [
        {"name": control.CHECK, "ok": True, "detail": "all that it declares was done"}
    ]


def test_one_that_needs_a_cluster_is_refused_by_a_lab_without_one(
    session: Accounted, toolkit: Runs, caplog: pytest.LogCaptureFixture
) -> None:
    content = experiment()
    content["controls"][0]["provider"]["arguments"]["brokers"] = 3
    code, journal = toolkit(content)
    assert (code, journal["run"]) == (1, [])
    assert session.left
    assert session.checks == []
    assert "needs 3: start one by `lab up --breakable --brokers 3`" in caplog.text.replace(
        ".venv/bin/", ""
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"method": [action("kill", "fail")]}, "method: kill failed: it did not work"),
        ({"method": [action("kill", "crash")]}, "method: kill failed: ZeroDivisionError"),
        ({"method": [action("kill", "give")]}, "method: kill says nothing of what it did: None"),
        ({"method": [action("kill", "give", value=[])]}, "method: kill says nothing"),
        ({"method": [action("kill", "nan")]}, "method: kill says nothing"),
        ({"rollbacks": [action("mend", "fail")]}, "rollbacks: mend failed"),
        ({"rollbacks": [action("mend", "give")]}, "rollbacks: mend says nothing"),
        ({"rollbacks": None}, "rollbacks: nothing is declared"),
        ({"steady-state-hypothesis": None}, "no steady state is declared"),
        (hypothesis(probe("well", "give")), "the method: well gave None"),
        (hypothesis(probe("well", "give", value=1)), "the method: well gave 1, and only true"),
        (hypothesis(probe("well", "nan")), "the method: well gave nan"),
        (hypothesis(probe("well", "fail")), "the method: well failed: it did not work"),
        ({"method": [action("kill", "interrupt"), action("mend")]}, "method: mend was not run"),
        ({"method": [action("kill", "terminate"), action("mend")]}, "method: kill failed"),
    ],
)
def test_it_fails_though_the_lab_is_content(
    changes: dict[str, Any], problem: str, session: Accounted, toolkit: Runs
) -> None:
    code, journal = toolkit(experiment(**changes))
    assert code == 1
    assert any(problem in each for each in journal["lab"]["problems"]), journal["lab"]["problems"]
    assert session.left
    (check,) = session.checks
    assert check["ok"] is not True


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--rollback-strategy", "never"), "rollbacks: mend what is left was not run"),
        (("--hypothesis-strategy", "after-method-only"), "hypothesis before the method: it was"),
        (("--hypothesis-strategy", "before-method-only"), "hypothesis after the method: it was"),
        (("--dry", "actions"), "method: break it says nothing of what it did"),
        (("--dry", "activities"), "hypothesis before the method: it is well gave None"),
    ],
)
def test_it_fails_if_an_option_leaves_something_out(
    options: tuple[str, ...], problem: str, session: Accounted, toolkit: Runs
) -> None:
    code, journal = toolkit(experiment(), *options)
    assert code == 1
    assert any(problem in each for each in journal["lab"]["problems"]), journal["lab"]["problems"]


@pytest.mark.parametrize("verdict", [Verdict.INVALID, Verdict.UNKNOWN])
def test_it_fails_if_the_lab_is_not_content(
    verdict: Verdict, session: Accounted, toolkit: Runs
) -> None:
    session.audit = Audit("", None, None, None, 0.0, verdict, "2 messages are lost", Counts())
    code, journal = toolkit(experiment())
    assert (code, journal["status"]) == (1, "failed")
    assert journal["lab"]["verdict"] == verdict
    assert journal["lab"]["why"] == "2 messages are lost"


def test_it_fails_if_the_lab_cannot_judge(session: Accounted, toolkit: Runs) -> None:
    session.broken = True
    code, journal = toolkit(experiment())
    assert code == 1
    assert journal["lab"]["problems"] == ["the lab could not judge: no verdict"]


def test_it_fails_if_something_is_still_broken_or_offered_after_the_rollbacks(
    session: Accounted, toolkit: Runs
) -> None:
    session.struck, session.load = ["worker-killed"], object()
    code, journal = toolkit(experiment())
    assert code == 1
    assert journal["lab"]["problems"] == [
        "a load was still offered after the rollbacks",
        "still broken after the rollbacks: worker-killed",
    ]


def test_a_tolerance_that_makes_the_toolkit_crash_leaves_no_session_open(
    session: Accounted, toolkit: Runs
) -> None:
    """NaN in a range: the toolkit dies without a journal and without rollbacks."""
    crashing = {**probe("well", "nan"), "tolerance": {"type": "range", "range": [0, 1]}}
    code, journal = toolkit(experiment(**hypothesis(crashing)))
    assert (code, journal) == (1, {})
    assert session.left


def test_a_control_that_is_to_act_only_before_has_the_last_word_all_the_same(
    session: Accounted, toolkit: Runs
) -> None:
    """So would one whose function cannot be called: the toolkit says so to nobody."""
    whole = experiment()
    whole["controls"][0]["scope"] = "before"
    code, journal = toolkit(whole)
    assert (code, journal["status"]) == (1, "failed")
    assert journal["lab"]["problems"] == ["the control did not judge this run"]
    assert session.left


def test_without_a_lab_that_is_up_nothing_is_done(
    toolkit: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(running.LAB_NAME, "nobody")
    code, journal = toolkit(experiment())
    assert (code, journal["status"], journal["run"]) == (1, "interrupted", [])
    assert journal["lab"]["why"] == "no session of the lab was open, so nothing was accounted for"


def test_without_the_control_the_labs_own_probes_and_actions_refuse(toolkit: Runs) -> None:
    """The toolkit drops a control that cannot be loaded, and says so to nobody."""
    looks = hypothesis(probe("whole", "every_part_runs", "chaos.probes"))
    code, journal = toolkit(experiment(controls=None, **looks))
    assert (code, journal["status"]) == (1, "failed")
    (run,) = journal["steady_states"]["before"]["probes"]
    assert "the experiment must declare the control" in run["exception"][-1]
