"""A worker hangs with messages in hand, until the broker takes them back."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Pausable, Role


@fault("worker-paused", Pausable, marks=Marks(retries=True, reconnects=True))
def worker_paused(on: Target, index: int = 0) -> Iterator[None]:
    """SIGSTOP for one worker and its children; they go on at the end."""
    assert isinstance(on.substrate, Pausable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.pause(Role.WORKER, index)
        yield
    finally:
        on.substrate.resume(Role.WORKER, index)
