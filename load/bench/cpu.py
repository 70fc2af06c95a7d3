"""Processor time by role: what a match costs, on a machine whose clock others slow down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Protocol, runtime_checkable

import psutil

WORKER, CHILD = "worker", "worker child"


class Listed(Protocol):
    """A process of a lab; see `lab.substrates`."""

    @property
    def name(self) -> str:
        """`<role>-<index>`."""
        ...

    @property
    def pid(self) -> int:
        """Its number on this machine."""
        ...


@runtime_checkable
class ListsProcesses(Protocol):
    """A substrate whose processes are those of this machine."""

    def processes(self) -> Iterable[Listed]:
        """What it has started."""
        ...


def role_of(name: str) -> str:
    """The role in a process's name: `worker` of `worker-0`."""
    return name.rpartition("-")[0]


def seconds(substrate: ListsProcesses) -> dict[str, float]:
    """Processor seconds that each role has used until now, user and system together.

    What a worker's pool children use is counted apart, as `worker child`. Children of others count
    with their parent, also those that have ended.
    """
    used: dict[str, float] = {}
    for listed in substrate.processes():
        process, role = psutil.Process(listed.pid), role_of(listed.name)
        below = CHILD if role == WORKER else role
        # The children first: the time of one that ends meanwhile is then its parent's.
        for child in process.children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                used[below] = used.get(below, 0.0) + _of(child)
        used[role] = used.get(role, 0.0) + _of(process)
    return used


def difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What was used in between, by role."""
    return {role: after[role] - before.get(role, 0.0) for role in after}


def _of(process: psutil.Process) -> float:
    times = process.cpu_times()
    ended = getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return float(times.user + times.system + ended)


def resident_bytes(pid: int) -> int:
    """Resident memory of a process and everything below it."""
    process = psutil.Process(pid)
    found = 0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            found += int(each.memory_info().rss)
    return found
