"""A backend that counts effects before it commits them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from psycopg import Connection

from system.backend import transaction
from system.backend.database import BoundedConnection, Database
from system.tests.weakened import run_given

T = TypeVar("T")

_run = Database._run


def _weakened(self: Database, operation: str, work: Callable[[BoundedConnection], T]) -> T:
    """One transaction around all of the work: its own ones end before the commit."""

    def all_of_it(connection: BoundedConnection) -> T:
        with connection.transaction():
            return work(connection)

    return _run(self, operation, all_of_it)


if __name__ == "__main__":
    Database._run = _weakened  # type: ignore[method-assign]
    transaction.by_keys = Connection.transaction  # type: ignore[assignment]
    run_given()
