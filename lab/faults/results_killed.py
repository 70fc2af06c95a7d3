"""The store of results (Redis) dies; matches must not need it."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Killable, Role


@fault("results-killed", Killable, marks=Marks())
def results_killed(on: Target) -> Iterator[None]:
    """SIGKILL for Redis; it is started again, empty, at the end."""
    assert isinstance(on.substrate, Killable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.kill(Role.RESULTS)
        yield
    finally:
        on.substrate.start(Role.RESULTS)
