"""Bring the database to the newest schema: Alembic, driven from code, plain SQL in each step."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from system.errors import DatabaseUnavailable

CONNECT_S = 3

_one_at_a_time = threading.Lock()  # Alembic keeps what it is doing in its module's globals


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head() -> str:
    """Return the revision that this code needs the database to be at."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None, "there is at least one migration"  # noqa: S101
    return revision


def upgrade(database_url: str) -> None:
    """Migrate the database to `head()`; does nothing if it is there already.

    Safe if several run at once, in any process: a lock in the database lets one run at a time.

    Raises:
        DatabaseUnavailable: the database cannot be reached.
    """
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(database_url, connect_timeout=CONNECT_S),
        poolclass=NullPool,
    )
    config = _config()
    try:
        with _one_at_a_time, engine.connect() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (OperationalError, psycopg.OperationalError) as error:
        raise DatabaseUnavailable(
            f"cannot migrate: {error}. Is PostgreSQL running, and does "
            "MISSING_TABLE_DATABASE_URL point to it?"
        ) from error
    finally:
        engine.dispose()
