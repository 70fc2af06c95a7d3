"""How a lab on a cluster looks from outside: one line for each part, whatever its pods do."""

from __future__ import annotations

from typing import Any

from lab.substrates.kubernetes import seen
from lab.substrates.kubernetes.objects import PART


def made(kind: str, name: str, part: str, **status: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": name, "labels": {PART: part}},
        "status": {"startTime": "2026-11-30T10:00:00Z", **status},
    }


def pod(part: str, state: str = "running") -> dict[str, Any]:
    return made("Pod", f"{part}-x", part, containerStatuses=[{"state": {state: {}}}])


CONTROLLERS = [
    made("Deployment", "celery-worker-0", "worker-0"),
    made("StatefulSet", "rabbitmq", "broker-0"),
]


def states(*pods: dict[str, Any], paused: tuple[str, ...] = ()) -> dict[str, str]:
    return {line.name: line.state for line in seen.lines([*CONTROLLERS, *pods], paused)}


def test_a_part_is_up_while_its_pod_runs() -> None:
    assert states(pod("worker-0"), pod("broker-0")) == {"broker-0": "up", "worker-0": "up"}
    (first, _) = seen.lines([*CONTROLLERS, pod("broker-0")], ())
    assert first.since == "2026-11-30T10:00:00+00:00"


def test_a_part_without_a_pod_that_runs_and_stays_is_gone() -> None:
    assert states(pod("broker-0", "waiting")) == {"broker-0": "gone", "worker-0": "gone"}
    ending = pod("worker-0")
    ending["metadata"]["deletionTimestamp"] = "2026-11-30T10:00:01Z"
    assert states(ending, pod("broker-0"))["worker-0"] == "gone"


def test_a_part_that_was_stopped_where_it_is_is_paused_while_its_pod_is_there() -> None:
    assert states(pod("worker-0"), pod("broker-0"), paused=("worker-0",))["worker-0"] == "paused"
    assert states(pod("broker-0"), paused=("worker-0",))["worker-0"] == "gone"


def test_a_pod_whose_controller_is_gone_is_no_part() -> None:
    assert "api-0" not in states(pod("api-0"))
