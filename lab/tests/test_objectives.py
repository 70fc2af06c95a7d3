"""Objectives are read from the part of OpenSLO that is honoured, and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.checker.check import audit
from lab.checker.measures import LATENCY_MEAN, SUCCESS_RATIO, usual_objectives
from lab.errors import CannotRun
from lab.slo.spec import FILE, Slo, load
from lab.tests.histories import events, sane
from system.contract.reasons import OWN_FAULT, Reason
from system.contract.submission import Effect

DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all(FILE.read_text("utf-8")))


def named(name: str) -> Slo:
    return next(each for each in load() if each.name == name)


def test_the_objectives_are_those_that_a_run_is_judged_by() -> None:
    assert [each.name for each in load()] == ["success", "latency-mean", "latency-p99"]
    asked = {each.name: each.objective for each in audit(events(sane(5))).objectives}
    assert asked == {
        SUCCESS_RATIO: named("success").goal.target,
        LATENCY_MEAN: 1000 * (named("latency-mean").goal.value or 0),
    }
    assert {each.spec.timeWindow[0].duration for each in load()} == {"30d"}


def test_a_changed_objective_is_asked_of_every_run(tmp_path: Path) -> None:
    """There is one place to change it."""
    success, mean, _ = documents = deepcopy(DOCUMENTS)
    success["spec"]["objectives"][0]["target"] = 0.75
    mean["spec"]["objectives"][0]["value"] = 0.125
    changed = written(tmp_path, documents)
    assert usual_objectives(changed) == {SUCCESS_RATIO: 0.75, LATENCY_MEAN: 125}


def test_a_file_without_an_objective_of_runs_says_which(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="`latency-mean` with its value"):
        usual_objectives(written(tmp_path, DOCUMENTS[:1]))


def test_success_leaves_out_what_is_the_messages_own_fault_and_nothing_else() -> None:
    ratio = named("success").ratio
    assert ratio is not None
    _, bad, total = ratio
    assert set(bad) < set(total)
    own = re.search(r'reason!~"([^"]*)"', bad[0])
    assert own is not None
    assert {Reason(word) for word in own[1].split("|")} == OWN_FAULT
    good = re.search(r'effect=~"([^"]*)"', total[0])
    assert good is not None
    assert set(good[1].split("|")) == set(Effect) - {Effect.DUPLICATE, Effect.INVALID}


def written(folder: Path, documents: list[Any]) -> Path:
    path = folder / "slo.yaml"
    path.write_text(yaml.safe_dump_all(documents), "utf-8")
    return path


def metric(document: dict[str, Any]) -> dict[str, Any]:
    """The ratio of the first objective."""
    inside: dict[str, Any] = document["spec"]["indicator"]["spec"]["ratioMetric"]
    return inside


def counters(document: dict[str, Any]) -> list[str]:
    found: list[str] = metric(document)["total"]["metricSource"]["spec"]["counters"]
    return found


SPOILED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another version": (lambda d: d.update(apiVersion="openslo/v2"), "apiVersion"),
    "a field that is not honoured": (
        lambda d: d["spec"].update(alertPolicies=[]),
        "spec.alertPolicies",
    ),
    "no objective": (lambda d: d["spec"].update(objectives=[]), "spec.objectives"),
    "a target of everything": (
        lambda d: d["spec"]["objectives"][0].update(target=1.0),
        "target",
    ),
    "a target in words": (lambda d: d["spec"]["objectives"][0].update(target="0.9"), "target"),
    "a bound for a ratio": (
        lambda d: d["spec"]["objectives"][0].update(op="lt", value=1.0),
        "op and value",
    ),
    "good and bad": (lambda d: metric(d).update(good=metric(d)["bad"]), "one of good and bad"),
    "neither good nor bad": (lambda d: metric(d).pop("bad"), "one of good and bad"),
    "no counter": (lambda d: counters(d).clear(), "counters"),
    "an expression": (lambda d: counters(d).append("rate(a[5m])"), "one selector"),
    "a range": (lambda d: counters(d).append("a[5m]"), "one selector"),
    "two selectors": (lambda d: counters(d).append("a or b"), "one selector"),
    "a calendar": (lambda d: d["spec"]["timeWindow"][0].update(isRolling=False), "isRolling"),
    "a window in words": (lambda d: d["spec"]["timeWindow"][0].update(duration="a month"), "5m"),
    "two indicators": (
        lambda d: d["spec"]["indicator"]["spec"].update(
            thresholdMetric=DOCUMENTS[1]["spec"]["indicator"]["spec"]["thresholdMetric"]
        ),
        "a ratioMetric or a thresholdMetric",
    ),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_is_not_understood_is_refused(what: str, tmp_path: Path) -> None:
    spoil, said = SPOILED[what]
    document = deepcopy(DOCUMENTS[0])
    spoil(document)
    with pytest.raises(CannotRun, match=r"document 1 of .* is no objective") as caught:
        load(written(tmp_path, [document]))
    assert said in str(caught.value)


def test_a_name_may_be_used_once(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="names of their own"):
        load(written(tmp_path, [DOCUMENTS[0], DOCUMENTS[0]]))


@pytest.mark.parametrize("text", ["", "[", "- 1", "a: \xff", "x" * 200_000])
def test_a_file_that_holds_no_objectives_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "slo.yaml"
    path.write_text(text, "latin-1")
    with pytest.raises(CannotRun, match=r"slo\.yaml"):
        load(path)
    with pytest.raises(CannotRun, match="cannot be read"):
        load(tmp_path / "none.yaml")
