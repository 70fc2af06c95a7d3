"""The backend dies."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Killable, Role


@fault("api-killed", Killable, marks=Marks(retries=True))
def api_killed(on: Target) -> Iterator[None]:
    """SIGKILL for the backend; it is started again at the end."""
    assert isinstance(on.substrate, Killable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.kill(Role.API)
        yield
    finally:
        on.substrate.start(Role.API)
