"""The broker dies, and comes back with what it had on disk."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Killable, Role


@fault("broker-killed", Killable, marks=Marks(retries=True, reconnects=True))
def broker_killed(on: Target) -> Iterator[None]:
    """SIGKILL for the broker; it is started again at the end."""
    assert isinstance(on.substrate, Killable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.kill(Role.BROKER)
        yield
    finally:
        on.substrate.start(Role.BROKER)
