"""What the Chaos Toolkit calls completed and shows nothing, by its journal alone."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from chaos import judge
from chaos.tests.writing import action, experiment, probe

EXPERIMENT = experiment()
Journal = dict[str, Any]


def done(part: dict[str, Any], output: Any, **more: Any) -> dict[str, Any]:
    return {"activity": part, "status": "succeeded", "output": output, **more}


def looked(output: Any = True, **more: Any) -> dict[str, Any]:
    run = done(probe("it is well"), output, tolerance_met=True, **more)
    return {"steady_state_met": True, "probes": [run]}


@pytest.fixture
def journal() -> Journal:
    """Of a run in which all went well."""
    return copy.deepcopy(
        {
            "status": "completed",
            "deviated": False,
            "steady_states": {"before": looked(), "after": looked(), "during": []},
            "run": [done(each, {"did": "it"}) for each in EXPERIMENT["method"]],
            "rollbacks": [done(each, {"cured": "nothing"}) for each in EXPERIMENT["rollbacks"]],
        }
    )


def found(journal: Journal) -> str:
    return "; ".join(judge.problems(EXPERIMENT, journal))


def test_a_run_in_which_all_went_as_declared_has_no_problem(journal: Journal) -> None:
    assert judge.problems(EXPERIMENT, journal) == []


@pytest.mark.parametrize("status", ["interrupted", "aborted", "failed", None])
def test_a_run_that_was_not_completed(status: str | None, journal: Journal) -> None:
    journal["status"] = status
    assert "not completed" in found(journal)


def test_a_run_that_deviated_or_does_not_say(journal: Journal) -> None:
    journal["deviated"] = True
    assert "another after the method" in found(journal)
    del journal["deviated"]
    assert "another after the method" in found(journal)


@pytest.mark.parametrize("part", ["run", "rollbacks"])
def test_an_activity_that_failed_though_the_run_is_completed(part: str, journal: Journal) -> None:
    last = "chaoslib.exceptions.ActivityFailed: there is no worker-7 in this lab\n"
    journal[part][0] |= {"status": "failed", "output": None, "exception": ["Traceback", last]}
    assert "failed: there is no worker-7 in this lab" in found(journal)


@pytest.mark.parametrize(
    "output",
    [
        None,
        False,
        "",
        [],
        {},
        {"killed": []},
        {"killed": None},
        [{"pods": [{}]}],
        float("nan"),
        {"ratio": float("inf")},
    ],
)
@pytest.mark.parametrize("part", ["run", "rollbacks"])
def test_an_activity_that_says_nothing_of_what_it_did(
    part: str, output: Any, journal: Journal
) -> None:
    """So a kill looks that met nobody."""
    journal[part][0]["output"] = output
    assert "says nothing of what it did" in found(journal)


@pytest.mark.parametrize("output", [0, {"dead letters": 0}, "done", {"a": 1.5}, True])
def test_a_nought_is_something(output: Any, journal: Journal) -> None:
    journal["run"][0]["output"] = output
    assert found(journal) == ""


@pytest.mark.parametrize("part", ["run", "rollbacks"])
def test_an_activity_that_was_never_run(part: str, journal: Journal) -> None:
    """As after an interruption, or with `--rollback-strategy never`."""
    lost = journal[part].pop()["activity"]["name"]
    assert f"{lost} was not run" in found(journal)
    journal[part] = []
    assert "was not run" in found(journal)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("output", [None, 1, 0, "yes", float("nan"), [True], False])
def test_a_probe_that_gave_anything_but_true(when: str, output: Any, journal: Journal) -> None:
    """The toolkit's tolerances coerce, or crash; NaN is neither in a range nor out of it."""
    journal["steady_states"][when] = looked(output)
    assert f"hypothesis {when} the method: it is well gave {output!r}" in found(journal)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_hypothesis_that_was_not_looked_at_or_not_wholly(when: str, journal: Journal) -> None:
    """As with `--hypothesis-strategy skip`, or in a dry run."""
    for nothing in (None, dict[str, Any]()):
        journal["steady_states"][when] = nothing
        assert f"hypothesis {when} the method: it was not looked at" in found(journal)
    journal["steady_states"][when] = {"steady_state_met": True, "probes": []}
    assert f"hypothesis {when} the method: it is well was not run" in found(journal)
    state = looked()
    del state["probes"][0]["tolerance_met"]
    journal["steady_states"][when] = state
    assert "it is well was not judged" in found(journal)
    journal["steady_states"][when] = {**looked(), "steady_state_met": None}
    assert f"hypothesis {when} the method: it is not met" in found(journal)


@pytest.mark.parametrize(
    ("left_out", "complaint"),
    [
        ("steady-state-hypothesis", "no steady state is declared"),
        ("rollbacks", "rollbacks: nothing is declared"),
        ("method", "method: nothing is declared"),
    ],
)
def test_an_experiment_that_declares_too_little(
    left_out: str, complaint: str, journal: Journal
) -> None:
    whole = experiment(**{left_out: None})
    assert complaint in "; ".join(judge.problems(whole, journal))


def test_two_of_the_same_name_must_both_be_run(journal: Journal) -> None:
    twice = experiment(method=[action("kill"), action("kill")])
    journal["run"] = [done(action("kill"), {"did": "it"})]
    assert judge.problems(twice, journal) == ["method: kill was not run"]
