"""What shows that a fault struck: its victim was up before, and is not afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaoslib.exceptions import ActivityFailed

from chaos.running import Run
from lab.errors import NotWithin
from lab.faults import registry
from lab.substrates.plan import Role
from lab.wait import eventually

SEEN_WITHIN_S = 20.0
UP = "up"
_ENDS = {"killed": "gone", "terminated": "gone", "paused": "paused"}
"""What a process is after a fault, by the last word of the fault's name."""
_ALARMS = {"broker-memory-alarm": "memory", "broker-disk-alarm": "disk"}
_LEADER = "broker-leader-killed"
"""Which node that is, only the strike itself finds out."""


def victim(fault: str, parameters: Mapping[str, Any]) -> str | None:
    """The process that a fault acts on; None if it acts on something else. Pure.

    Raises:
        CannotRun: there is no such fault or parameter.
    """
    chosen = registry.find(fault).completed(parameters)
    role, _, what = fault.rpartition("-")
    if what not in _ENDS or fault == _LEADER:
        return None
    role = role.removesuffix("-child").removesuffix("-parent")
    return f"{role}-{chosen.get('index', chosen.get('node', 0))}"


def require_up(run: Run, process: str | None) -> None:
    """Fail if a process that is to be struck is not up: nothing would be struck.

    Raises:
        ActivityFailed: it is not.
    """
    if process is not None and (state := run.states().get(process)) != UP:
        raise ActivityFailed(f"{process} is {state or 'not there'}, so there is nothing to strike")


def seen(run: Run, fault: str, process: str | None) -> str:
    """What is seen of a fault that has struck.

    Raises:
        ActivityFailed: nothing is, though it should be.
    """
    _, _, what = fault.rpartition("-")
    try:
        if alarm := _ALARMS.get(fault):
            alarms = run.lab.endpoints.management.alarms
            eventually("the alarm", lambda: alarm in alarms(), within_s=SEEN_WITHIN_S, every_s=0.2)
            return f"the broker has an alarm: {alarm}"
        if fault == _LEADER:
            gone = eventually(
                "a node to be gone", lambda: _nodes_gone(run), within_s=SEEN_WITHIN_S, every_s=0.2
            )
            return f"{', '.join(gone)} led the queue and is gone"
        if process is None or "-child-" in fault:
            return "the lab's keeper reports it done"
        wanted = _ENDS[what]
        eventually(
            f"{process} to be {wanted}",
            lambda: run.states().get(process) == wanted,
            within_s=SEEN_WITHIN_S,
        )
    except NotWithin as error:
        raise ActivityFailed(f"{fault} struck nothing: {error}") from error
    return f"{process} was up and is {wanted}"


def _nodes_gone(run: Run) -> list[str]:
    """The nodes of the broker that have ended."""
    return [
        name
        for name, state in run.states().items()
        if name.rpartition("-")[0] == Role.BROKER and state == "gone"
    ]
