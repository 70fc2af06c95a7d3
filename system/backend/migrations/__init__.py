"""Bring the database to the newest schema: Alembic, driven from code, plain SQL in each step.

A step keeps what the backend before it reads and writes: that one serves on until its pods are
replaced, and again after a rollback, so no step is ever taken back. Revisions are numbers of four
digits, so they have an order.
"""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import psycopg

from system.errors import DatabaseUnavailable

CONNECT_S = 3
VERSIONS = Path(__file__).parent / "versions"

_one_at_a_time = threading.Lock()  # Alembic keeps what it is doing in its module's globals


@cache
def head() -> str:
    """Return the revision that this code needs the database to be at.

    It is read from the files' names: a backend that only serves should not have to load Alembic,
    which takes longer than all the rest of its start.
    """
    return max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*_*.py"))


def upgrade(database_url: str, to: str = "head") -> None:
    """Migrate the database to the newest revision; does nothing if it is there already.

    Safe if several run at once, in any process: a lock in the database lets one run at a time.

    Args:
        to: an older revision to stop at.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
    """
    # Loaded here: see `head`.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(database_url, connect_timeout=CONNECT_S),
        poolclass=NullPool,
    )
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    try:
        with _one_at_a_time, engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, to)
    except (OperationalError, psycopg.OperationalError) as error:
        raise DatabaseUnavailable(
            f"cannot migrate: {error}. Is PostgreSQL running, and does "
            "MISSING_TABLE_DATABASE_URL point to it?"
        ) from error
    finally:
        engine.dispose()
