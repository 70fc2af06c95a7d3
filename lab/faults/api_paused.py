"""The backend hangs: it takes requests and does not answer."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Pausable, Role


@fault("api-paused", Pausable, marks=Marks(retries=True))
def api_paused(on: Target) -> Iterator[None]:
    """SIGSTOP for the backend; it goes on at the end."""
    assert isinstance(on.substrate, Pausable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.pause(Role.API)
        yield
    finally:
        on.substrate.resume(Role.API)
