"""A worker dies without a word, as where the machine or the container goes."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Killable, Role


@fault("worker-killed", Killable, marks=Marks(reconnects=True))
def worker_killed(on: Target, index: int = 0) -> Iterator[None]:
    """SIGKILL for one worker and its children; it is started again at the end."""
    assert isinstance(on.substrate, Killable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.kill(Role.WORKER, index)
        yield
    finally:
        on.substrate.start(Role.WORKER, index)
