"""Experiments against a lab that is up: some that hold, and what must not pass for one that does.

`make test` runs those of `USUAL`; `make chaos` runs all there are.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

from chaos import run
from chaos.control import KEY
from chaos.tests.place import Place
from chaos.tests.writing import action, experiment, probe, written
from lab.checker import verdict
from lab.checker.verdict import Verdict
from lab.dev.terminal import Terminal
from lab.substrates import registry
from lab.wait import eventually

pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

WITHIN_S = 200.0
SOON_S = 60.0
LAB = "chaos-tests"
USUAL = ("worker-kill", "broker-kill", "api-outage", "database-outage", "redis-outage")
"""One for each part that can be gone."""
ACTIONS, PROBES = "chaos.actions", "chaos.probes"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A lab that a person has started."""
    folder = tmp_path_factory.mktemp("chaos")
    typed = Terminal(folder)
    with chdir(folder):
        up = typed.lab("up", "--name", LAB, "--breakable", "--matches", "40", within_s=SOON_S * 2)
        try:
            assert up.code == 0, up.out + up.complaints
            yield Place(folder, registry.keeping(registry.DEFAULT), LAB, registry.DEFAULT)
        finally:
            typed.lab("down", "--name", LAB, within_s=SOON_S)


@pytest.mark.parametrize("name", [*USUAL, pytest.param("partition", marks=pytest.mark.chaos)])
def test_it_holds(name: str, place: Place) -> None:
    """Run as a person does, by its file; the record is a run's own, with the fault in it."""
    code, journal, said = place.run(run.EXPERIMENTS / f"{name}.yaml")
    assert code == 0, said
    assert journal[KEY]["problems"] == []
    judged = verdict.read(Path(journal[KEY]["run"]) / verdict.FILE)
    assert judged["verdict"] == "valid"
    assert judged["counts"]["accepted"] > 200
    assert len(judged["faults"]) == 1
    assert place.is_whole()


def strikes(fault: str, **parameters: Any) -> dict[str, Any]:
    return action(f"strike {fault}", "strike", ACTIONS, fault=fault, parameters=parameters)


LIVE: dict[str, Any] = {
    "steady-state-hypothesis": {
        "title": "It stores what it is sent",
        "probes": [probe("messages take effect", "messages_take_effect", PROBES)],
    },
    "rollbacks": [action("mend what is broken", "cure_everything", ACTIONS)],
}


@pytest.mark.chaos
@pytest.mark.parametrize(
    ("method", "problem"),
    [
        ([strikes("worker-killed", index=7)], "worker-7 is not there, so there is nothing to"),
        (
            [strikes("worker-killed"), strikes("worker-terminated")],
            "worker-0 is gone, so there is nothing to strike",
        ),
        ([strikes("earthquake")], "there is no fault 'earthquake'"),
        (
            [action("cure it", "cure", ACTIONS, fault="api-killed")],
            "api-killed is not at work, so there is nothing to cure",
        ),
        ([action("end the load", "end_load", ACTIONS)], "no load is offered"),
    ],
    ids=["nobody-there", "dead-already", "no-such-fault", "nothing-to-cure", "no-load"],
)
def test_an_action_that_met_nothing_fails_the_run_and_leaves_nothing_broken(
    method: list[dict[str, Any]], problem: str, place: Place, tmp_path: Path
) -> None:
    code, journal, said = place.run(written(tmp_path, experiment(**LIVE, method=method)))
    assert code == 1, said
    assert problem in "; ".join(journal[KEY]["problems"])
    assert journal[KEY]["verdict"] == Verdict.UNKNOWN
    eventually("the lab to be whole", place.is_whole, within_s=SOON_S)


@pytest.mark.chaos
def test_a_message_that_is_lost_fails_a_run_in_which_all_was_done(
    place: Place, tmp_path: Path
) -> None:
    """Every probe and every action is content; only the ledger is not."""
    content = experiment(**LIVE, method=[action("lose a message", "lose_a_message")])
    code, journal, said = place.run(written(tmp_path, content))
    assert code == 1, said
    assert journal[KEY]["problems"] == []
    assert journal[KEY]["verdict"] == Verdict.INVALID
    assert "law 1" in journal[KEY]["why"]


@pytest.mark.chaos
def test_what_an_interrupted_run_broke_is_mended_and_it_has_failed(
    place: Place, tmp_path: Path
) -> None:
    wait = action("wait", "work_for", ACTIONS, seconds=120)
    content = experiment(**LIVE, method=[strikes("api-killed"), wait])
    (place.folder / "journal.json").unlink(missing_ok=True)
    with place.started(written(tmp_path, content)) as process:
        eventually("it to be broken", lambda: not place.is_whole(), within_s=SOON_S)
        eventually("it to wait", lambda: "wait" in debug_log(place), within_s=SOON_S)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 1, said
    journal = json.loads((place.folder / "journal.json").read_text("utf-8"))
    assert journal["status"] == "interrupted"
    assert "the run is interrupted, not completed" in journal[KEY]["problems"]
    assert place.is_whole()


def test_what_a_killed_run_broke_is_mended_by_the_keeper(place: Place, tmp_path: Path) -> None:
    """SIGKILL: neither rollbacks nor the control."""
    wait = action("wait", "work_for", ACTIONS, seconds=120)
    content = experiment(**LIVE, method=[strikes("worker-paused"), wait])
    with place.started(written(tmp_path, content)) as process:
        eventually("it to be broken", lambda: not place.is_whole(), within_s=SOON_S)
        process.kill()
    eventually("the lab to be whole", place.is_whole, within_s=SOON_S)


def debug_log(place: Place) -> str:
    """What the toolkit has written last."""
    return (place.folder / "chaostoolkit.log").read_text("utf-8", "replace")[-2000:]
