"""The doctor tries a network policy for real, and never takes what it could not see for a yes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from lab.substrates.containers.identity import LABEL
from lab.substrates.containers.images import SYSTEM, variable
from lab.substrates.kubernetes import doctor, own, policy_trial
from lab.substrates.kubernetes.kubectl import kubectl
from lab.substrates.kubernetes.policy_trial import Enforced, judged
from lab.substrates.provider import GOOD, WARNING

CLUSTER = "1.33"


@pytest.mark.parametrize(
    ("first", "denied", "allowed", "came_to"),
    [
        (True, False, True, Enforced.YES),
        (True, True, True, Enforced.NO),
        (True, True, False, Enforced.NO),
        (True, False, False, Enforced.UNKNOWN),
        (False, False, True, Enforced.UNKNOWN),
        (False, True, True, Enforced.UNKNOWN),
    ],
)
def test_only_what_failed_and_went_again_shows_a_policy(
    first: bool, denied: bool, allowed: bool, came_to: Enforced
) -> None:
    assert judged(first=first, denied=denied, allowed=allowed)[0] is came_to


def test_the_doctor_calls_nothing_good_that_was_not_seen() -> None:
    said = {each: doctor.policies_finding(each, "seen so", "calico") for each in Enforced}
    assert said[Enforced.YES].state == GOOD
    assert {said[Enforced.NO].state, said[Enforced.UNKNOWN].state} == {WARNING}
    assert [each.found.startswith(come) for come, each in said.items()] == [True] * 3
    assert all("seen so" in each.found for each in said.values())


def test_what_is_made_for_it_is_what_a_cluster_takes() -> None:
    pod = own.plain("caller", "image:1", "python", "-c", "pass")
    for each in (pod, policy_trial.policy("deny", []), policy_trial.policy("allow", [{}])):
        kubernetes_validate.validate(each, CLUSTER, strict=True)


def left() -> str:
    """The namespaces of trials that are still there."""
    found = kubectl("get", "namespaces", "--selector", LABEL, "--output=name")
    return "".join(line for line in found.splitlines() if "lab-policy-" in line)


@pytest.mark.kubernetes
@pytest.mark.timeout(400)
def test_it_is_decided_and_nothing_is_left(tmp_path: Path) -> None:
    enforced, seen = policy_trial.tried(tmp_path / "locks")
    assert enforced is not Enforced.UNKNOWN, seen
    assert left() == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.kubernetes
@pytest.mark.timeout(400)
def test_policies_that_keep_nothing_out_are_not_enforced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where nothing enforces them: here they select no pod at all."""
    real = policy_trial.policy

    def of_no_pod(name: str, callers: list[dict[str, Any]]) -> dict[str, Any]:
        made = real(name, callers)
        made["spec"]["podSelector"] = {"matchLabels": {"nobody": "has-this"}}
        return made

    monkeypatch.setattr(policy_trial, "policy", of_no_pod)
    enforced, seen = policy_trial.tried(tmp_path / "locks")
    assert enforced is Enforced.NO, seen
    assert left() == ""


@pytest.mark.kubernetes
@pytest.mark.timeout(400)
def test_what_cannot_be_tried_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable(SYSTEM), "nowhere.example/nothing:1")
    enforced, seen = policy_trial.tried(tmp_path / "locks")
    assert enforced is Enforced.UNKNOWN
    assert "nowhere.example/nothing:1" in seen
    assert left() == ""
