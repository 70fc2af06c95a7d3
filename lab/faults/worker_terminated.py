"""A worker is asked to end, as at each deployment, and finishes what it has in hand."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Killable, Role


@fault("worker-terminated", Killable, marks=Marks(reconnects=True))
def worker_terminated(on: Target, index: int = 0) -> Iterator[None]:
    """SIGTERM for one worker, which ends in order; it is started again at the end."""
    assert isinstance(on.substrate, Killable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.terminate(Role.WORKER, index)
        yield
    finally:
        on.substrate.start(Role.WORKER, index)
