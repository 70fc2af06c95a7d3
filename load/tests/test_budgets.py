"""Budgets: what exceeds one, what was not measured, and what that does to the exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.checker.verdict import Verdict
from lab.errors import CannotRun
from lab.history import log
from lab.history.log import History
from lab.workload.profiles import PROFILES
from load import budgets, options, outcome
from load.budgets import Budget, evaluate, exit_code, load, verdict
from load.options import Chosen
from load.target import Target

BUDGET = Budget(success_ratio_min=0.999, confirm_p95_ms=100, drain_s=5)
GOOD = {"requests": 50, "success_ratio": 1.0, "confirm_p95_ms": 100.0, "drain_s": 0.5}


def _stats(kind: str, *ms: int) -> dict[str, Any]:
    return {
        "name": "matches.process",
        "method": kind,
        "num_requests": len(ms),
        "num_failures": 0,
        "total_response_time": sum(ms),
        "response_times": {each: ms.count(each) for each in ms},
    }


def test_what_is_within_its_budgets_is_valid() -> None:
    assert verdict(evaluate(BUDGET, GOOD)) is Verdict.VALID


@pytest.mark.parametrize(
    "worse", [{"confirm_p95_ms": 101.0}, {"drain_s": 5.1}, {"success_ratio": 0.99}]
)
def test_one_exceeded_budget_is_a_failure(worse: dict[str, float]) -> None:
    lines = evaluate(BUDGET, GOOD | worse)

    assert [line.name.removesuffix("_min") for line in lines if line.met is False] == [*worse]
    assert verdict(lines) is Verdict.INVALID


def test_no_requests_is_a_failure_whatever_else_was_measured() -> None:
    assert verdict(evaluate(BUDGET, GOOD | {"requests": 0})) is Verdict.INVALID
    assert verdict(evaluate(BUDGET, {})) is Verdict.INVALID


def test_what_was_not_measured_is_unknown() -> None:
    assert verdict(evaluate(BUDGET, GOOD | {"drain_s": None})) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("of_budgets", "audit", "code"),
    [
        (Verdict.VALID, Verdict.VALID, 0),
        (Verdict.INVALID, Verdict.VALID, 1),
        (Verdict.VALID, Verdict.INVALID, 1),
        (Verdict.VALID, Verdict.UNKNOWN, 2),
        (Verdict.UNKNOWN, Verdict.VALID, 2),
        (Verdict.UNKNOWN, Verdict.INVALID, 1),
    ],
)
def test_the_exit_code_is_the_worse_of_budgets_and_audit(
    of_budgets: Verdict, audit: Verdict, code: int
) -> None:
    assert exit_code(of_budgets, audit) == code


def test_an_invalid_audit_fails_a_load_that_kept_its_budgets(tmp_path: Path) -> None:
    with History(tmp_path / log.FILE) as record:
        record.write("depth", queue="matches.process", ready=3)
    path = tmp_path / "budgets.yaml"
    path.write_text("baseline: {success_ratio_min: 0, confirm_p95_ms: 60, depth_max: 3}")
    chosen = Chosen("baseline", PROFILES["baseline"], options.QUEUE, Target(None), path)
    (tmp_path / "verdict.json").write_text("{}")

    stats = [_stats("CONFIRM", 10, 50)]
    found = outcome.result(chosen, tmp_path, stats, Verdict.INVALID, "3 messages are lost")
    met = {line.name: line.met for line in found.lines}

    assert met == {
        "requests": True,
        "success_ratio_min": None,  # the audit's document says nothing
        "confirm_p95_ms": True,
        "depth_max": True,
    }
    assert found.exit_code == 1


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("baseline: {success_ratio_min: 1, p95: 3}", "p95"),
        ("baseline: {success_ratio_min: 1, drain_s: -1}", "greater than 0"),
        ("baseline: {}", "success_ratio_min"),
        ("- [", "while parsing"),
    ],
)
def test_budgets_that_make_no_sense_are_refused(
    content: str, complaint: str, tmp_path: Path
) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text(content)

    with pytest.raises(CannotRun, match=complaint):
        load(path)


def test_a_load_without_budgets_cannot_be_judged(tmp_path: Path) -> None:
    path = tmp_path / "budgets.yaml"
    path.write_text("burst: {success_ratio_min: 1}")
    chosen = Chosen("baseline", PROFILES["baseline"], options.QUEUE, Target(None), path)

    with pytest.raises(CannotRun, match="no budgets for the load 'baseline'"):
        outcome.budget_of(chosen)


def test_every_profile_has_its_budgets_and_no_budget_is_left_over() -> None:
    assert load().keys() == PROFILES.keys()


def test_every_file_of_locust_names_a_load_and_every_load_with_an_end_has_one() -> None:
    files = sorted((budgets.FILE.parent / "profiles").glob("*.conf"))
    named = {path.stem: path.read_text("utf-8") for path in files}

    assert named.keys() == {name for name, each in PROFILES.items() if each.lasts_s is not None}
    assert all(f"\nload = {name}\n" in text for name, text in named.items())
    assert all("\nweb-host = 127.0.0.1\n" in text for text in named.values())
