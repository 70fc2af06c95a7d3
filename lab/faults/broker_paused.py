"""The broker hangs: connections stay open, and nothing is answered."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Pausable, Role


@fault("broker-paused", Pausable, marks=Marks(retries=True, reconnects=True))
def broker_paused(on: Target) -> Iterator[None]:
    """SIGSTOP for the broker; it goes on at the end."""
    assert isinstance(on.substrate, Pausable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.pause(Role.BROKER)
        yield
    finally:
        on.substrate.resume(Role.BROKER)
