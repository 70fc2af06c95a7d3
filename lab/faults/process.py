"""Processes that are killed, told to stop, or paused."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Protocol

from lab.errors import LabError, NotWithin, SubstrateError
from lab.faults.registry import Target, fault
from lab.faults.residue import Leaves
from lab.substrates.abilities import ChildKillable, Killable, ParentKillable, Pausable
from lab.substrates.plan import Role
from lab.wait import eventually
from system.contract.topology import PROCESS_QUEUE

WORKERS_MAX = 100
AGAIN_WITHIN_S = 60.0
SLOW_S = 0.5
"""A worker that is slowed stands still and goes on once in this time."""
_BOTH = Leaves.RETRIES | Leaves.RECONNECTS


class _ChildKillable(ChildKillable, Killable, Protocol):
    """Can kill a pool child, and start the worker again if it did not replace it."""


class _ParentKillable(ParentKillable, Killable, Protocol):
    """Can kill a worker alone, and then what is left of it, and start it again."""


def _start(on: Target[Killable], role: Role, index: int = 0) -> None:
    """Start a process again, as a supervisor does: as often as it takes, within bounds.

    Another fault may keep it from starting: a worker does not begin while something else answers in
    the place of its API.
    """

    def start() -> bool:
        on.substrate.start(role, index)
        return True

    what = f"{role}-{index} to start again"
    try:
        eventually(what, start, within_s=AGAIN_WITHIN_S, every_s=1, tolerate=(SubstrateError,))
    except NotWithin as error:
        raise SubstrateError(str(error)) from error


def _killed(on: Target[Killable], role: Role, index: int = 0) -> Iterator[None]:
    try:
        on.substrate.kill(role, index)
        yield
    finally:
        _start(on, role, index)


def _terminated(on: Target[Killable], role: Role, index: int = 0) -> Iterator[None]:
    try:
        on.substrate.terminate(role, index)
        yield
    finally:
        _start(on, role, index)


def _paused(on: Target[Pausable], role: Role, index: int = 0) -> Iterator[None]:
    try:
        on.substrate.pause(role, index)
        yield
    finally:
        on.substrate.resume(role, index)


@fault("api-killed", Killable, leaves=Leaves.RETRIES, strikes="api")
def api_killed(on: Target[Killable]) -> Iterator[None]:
    """SIGKILL for the backend; it is started again at the end."""
    yield from _killed(on, Role.API)


@fault("api-paused", Pausable, leaves=Leaves.RETRIES, strikes="api")
def api_paused(on: Target[Pausable]) -> Iterator[None]:
    """SIGSTOP for the backend; it goes on at the end."""
    yield from _paused(on, Role.API)


@fault("broker-killed", Killable, leaves=_BOTH, strikes="broker")
def broker_killed(on: Target[Killable], node: int = 0) -> Iterator[None]:
    """SIGKILL for the broker, or one node of it; it is started again at the end."""
    yield from _killed(on, Role.BROKER, node)


@fault("broker-leader-killed", Killable, leaves=_BOTH, strikes="broker")
def broker_leader_killed(on: Target[Killable], queue: str = PROCESS_QUEUE) -> Iterator[None]:
    """SIGKILL for the broker's node that leads `queue`; it is started again at the end."""
    yield from _killed(on, Role.BROKER, on.endpoints.management.leader(queue))


@fault("broker-terminated", Killable, leaves=_BOTH, strikes="broker")
def broker_terminated(on: Target[Killable]) -> Iterator[None]:
    """SIGTERM for the broker, which ends in order; it is started again at the end."""
    yield from _terminated(on, Role.BROKER)


@fault("broker-paused", Pausable, leaves=_BOTH, strikes="broker")
def broker_paused(on: Target[Pausable]) -> Iterator[None]:
    """SIGSTOP for the broker; it goes on at the end."""
    yield from _paused(on, Role.BROKER)


@fault("database-killed", Killable, leaves=Leaves.RETRIES, strikes="database")
def database_killed(on: Target[Killable]) -> Iterator[None]:
    """SIGKILL for PostgreSQL; it is started again at the end."""
    yield from _killed(on, Role.DATABASE)


@fault("database-paused", Pausable, leaves=Leaves.RETRIES, strikes="database")
def database_paused(on: Target[Pausable]) -> Iterator[None]:
    """SIGSTOP for the database; it goes on at the end."""
    yield from _paused(on, Role.DATABASE)


@fault("results-killed", Killable, strikes="results")
def results_killed(on: Target[Killable]) -> Iterator[None]:
    """SIGKILL for Redis; it is started again, empty, at the end."""
    yield from _killed(on, Role.RESULTS)


@fault("worker-killed", Killable, leaves=Leaves.RECONNECTS, strikes="worker-{index}")
def worker_killed(on: Target[Killable], index: int = 0) -> Iterator[None]:
    """SIGKILL for one worker and its children; it is started again at the end."""
    yield from _killed(on, Role.WORKER, index)


@fault("worker-paused", Pausable, leaves=_BOTH, strikes="worker-{index}")
def worker_paused(on: Target[Pausable], index: int = 0) -> Iterator[None]:
    """SIGSTOP for one worker and its children; they go on at the end."""
    yield from _paused(on, Role.WORKER, index)


@fault("worker-slowed", Pausable, leaves=_BOTH, strikes="worker-{index}")
def worker_slowed(on: Target[Pausable], index: int = 0, share: float = 0.2) -> Iterator[None]:
    """Let one worker run for a share of the time only, as where others use the processor."""
    if not 0 < share < 1:
        raise LabError(f"a share is between 0 and 1, not {share:g}")
    ended = Event()

    def slow() -> None:
        while not ended.is_set():
            on.substrate.pause(Role.WORKER, index)
            ended.wait(SLOW_S * (1 - share))
            on.substrate.resume(Role.WORKER, index)
            ended.wait(SLOW_S * share)

    try:
        on.substrate.pause(Role.WORKER, index)  # it has to be there
        with ThreadPoolExecutor(1) as beside:
            slowing = beside.submit(slow)
            try:
                yield
            finally:
                ended.set()
                slowing.result()
    finally:
        on.substrate.resume(Role.WORKER, index)


@fault("worker-terminated", Killable, leaves=Leaves.RECONNECTS, strikes="worker-{index}")
def worker_terminated(on: Target[Killable], index: int = 0) -> Iterator[None]:
    """SIGTERM for one worker, which ends in order; it is started again at the end."""
    yield from _terminated(on, Role.WORKER, index)


@fault("workers-gone", Killable, leaves=Leaves.RECONNECTS, strikes="worker-*")
def workers_gone(on: Target[Killable]) -> Iterator[None]:
    """SIGKILL for every worker and its children; all are started again at the end."""
    gone: list[int] = []
    try:
        for index in range(WORKERS_MAX):
            try:
                on.substrate.kill(Role.WORKER, index)
            except SubstrateError:
                if not gone:
                    raise
                break  # that was the last one
            gone.append(index)
        yield
    finally:
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda index: _start(on, Role.WORKER, index), gone))


@fault("worker-child-killed", ChildKillable, Killable, strikes="worker-{index}")
def worker_child_killed(on: Target[_ChildKillable], index: int = 0) -> Iterator[None]:
    """SIGKILL for one pool child of a worker, which replaces it; started again if it does not."""
    try:
        on.substrate.kill_child(Role.WORKER, index)
        yield
    finally:
        _start(on, Role.WORKER, index)


@fault(
    "worker-parent-killed",
    ParentKillable,
    Killable,
    leaves=Leaves.RECONNECTS,
    strikes="worker-{index}",
)
def worker_parent_killed(on: Target[_ParentKillable], index: int = 0) -> Iterator[None]:
    """SIGKILL for one worker, and none of its children; it is started again at the end."""
    try:
        on.substrate.kill_parent(Role.WORKER, index)
        yield
    finally:
        on.substrate.kill(Role.WORKER, index)
        _start(on, Role.WORKER, index)
