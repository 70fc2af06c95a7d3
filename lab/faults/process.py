"""Processes that are killed, told to stop, or paused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from lab.faults.registry import Target, fault
from lab.faults.residue import Leaves
from lab.substrates.abilities import ChildKillable, Killable, Pausable
from lab.substrates.plan import Role

_BOTH = Leaves.RETRIES | Leaves.RECONNECTS


class _ChildKillable(ChildKillable, Killable, Protocol):
    """Can kill a pool child, and start the worker again if it did not replace it."""


def _killed(on: Target[Killable], role: Role, index: int = 0) -> Iterator[None]:
    try:
        on.substrate.kill(role, index)
        yield
    finally:
        on.substrate.start(role, index)


def _paused(on: Target[Pausable], role: Role, index: int = 0) -> Iterator[None]:
    try:
        on.substrate.pause(role, index)
        yield
    finally:
        on.substrate.resume(role, index)


@fault("api-killed", Killable, leaves=Leaves.RETRIES)
def api_killed(on: Target[Killable]) -> Iterator[None]:
    """SIGKILL for the backend; it is started again at the end."""
    yield from _killed(on, Role.API)


@fault("api-paused", Pausable, leaves=Leaves.RETRIES)
def api_paused(on: Target[Pausable]) -> Iterator[None]:
    """SIGSTOP for the backend; it goes on at the end."""
    yield from _paused(on, Role.API)


@fault("broker-killed", Killable, leaves=_BOTH)
def broker_killed(on: Target[Killable]) -> Iterator[None]:
    """SIGKILL for the broker; it is started again at the end."""
    yield from _killed(on, Role.BROKER)


@fault("broker-paused", Pausable, leaves=_BOTH)
def broker_paused(on: Target[Pausable]) -> Iterator[None]:
    """SIGSTOP for the broker; it goes on at the end."""
    yield from _paused(on, Role.BROKER)


@fault("database-killed", Killable, leaves=Leaves.RETRIES)
def database_killed(on: Target[Killable]) -> Iterator[None]:
    """SIGKILL for PostgreSQL; it is started again at the end."""
    yield from _killed(on, Role.DATABASE)


@fault("database-paused", Pausable, leaves=Leaves.RETRIES)
def database_paused(on: Target[Pausable]) -> Iterator[None]:
    """SIGSTOP for the database; it goes on at the end."""
    yield from _paused(on, Role.DATABASE)


@fault("results-killed", Killable)
def results_killed(on: Target[Killable]) -> Iterator[None]:
    """SIGKILL for Redis; it is started again, empty, at the end."""
    yield from _killed(on, Role.RESULTS)


@fault("worker-killed", Killable, leaves=Leaves.RECONNECTS)
def worker_killed(on: Target[Killable], index: int = 0) -> Iterator[None]:
    """SIGKILL for one worker and its children; it is started again at the end."""
    yield from _killed(on, Role.WORKER, index)


@fault("worker-paused", Pausable, leaves=_BOTH)
def worker_paused(on: Target[Pausable], index: int = 0) -> Iterator[None]:
    """SIGSTOP for one worker and its children; they go on at the end."""
    yield from _paused(on, Role.WORKER, index)


@fault("worker-terminated", Killable, leaves=Leaves.RECONNECTS)
def worker_terminated(on: Target[Killable], index: int = 0) -> Iterator[None]:
    """SIGTERM for one worker, which ends in order; it is started again at the end."""
    try:
        on.substrate.terminate(Role.WORKER, index)
        yield
    finally:
        on.substrate.start(Role.WORKER, index)


@fault("worker-child-killed", ChildKillable, Killable)
def worker_child_killed(on: Target[_ChildKillable], index: int = 0) -> Iterator[None]:
    """SIGKILL for one pool child of a worker, which replaces it; started again if it does not."""
    try:
        on.substrate.kill_child(Role.WORKER, index)
        yield
    finally:
        on.substrate.start(Role.WORKER, index)
