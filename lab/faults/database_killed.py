"""The database dies, and recovers from its log."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Killable, Role


@fault("database-killed", Killable, marks=Marks(retries=True))
def database_killed(on: Target) -> Iterator[None]:
    """SIGKILL for PostgreSQL; it is started again at the end."""
    assert isinstance(on.substrate, Killable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.kill(Role.DATABASE)
        yield
    finally:
        on.substrate.start(Role.DATABASE)
