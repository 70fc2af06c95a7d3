"""Run by Alembic: every step in one transaction, behind a lock, on the connection handed in."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

LOCK = 0x6D617463686573  # "matches": any number that every migration of this project agrees on


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        # Whoever comes second waits here, and then finds the work done.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.run_migrations()


_migrate(context.config.attributes["connection"])
