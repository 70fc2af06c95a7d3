"""One pool child of a worker dies, as where the system's memory runs out."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.substrate import ChildKillable, Killable, Role


@fault("worker-child-killed", ChildKillable, Killable)
def worker_child_killed(on: Target, index: int = 0) -> Iterator[None]:
    """SIGKILL for one pool child of a worker, which replaces it; started again if it does not."""
    assert isinstance(on.substrate, ChildKillable)  # noqa: S101 - the registry has made sure
    assert isinstance(on.substrate, Killable)  # noqa: S101
    try:
        on.substrate.kill_child(Role.WORKER, index)
        yield
    finally:
        on.substrate.start(Role.WORKER, index)
