"""A backend that answers before its commit is on disk."""

from __future__ import annotations

from system.backend import database
from system.tests.weakened import run_given

_configure = database._configure


def _weakened(connection: database.BoundedConnection) -> None:
    _configure(connection)
    connection.execute("SET synchronous_commit TO off")


if __name__ == "__main__":
    database._configure = _weakened
    run_given()
