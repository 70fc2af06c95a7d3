"""Faults within the database: a lock that holds up every write, a disk that takes no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import LiteralString

import psycopg

from lab.errors import LabError
from lab.faults.registry import Target, fault
from lab.faults.residue import Leaves
from lab.substrates.protocol import Substrate

CONNECT_S = 20
LOCK_MS = 10_000
"""How long the lock may take: those who write now have to end first."""
_FULL: tuple[LiteralString, ...] = (
    """
    CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device'
            USING ERRCODE = 'disk_full', HINT = 'Check free disk space.';
    END $$
    """,
    *(
        f"CREATE TRIGGER disk_is_full BEFORE INSERT OR UPDATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION disk_is_full()"
        for table in ("matches", "receipts")
    ),
)
_FREE: LiteralString = "DROP FUNCTION IF EXISTS disk_is_full() CASCADE"


@fault("matches-locked", leaves=Leaves.RETRIES, strikes="database")
def matches_locked(on: Target[Substrate]) -> Iterator[None]:
    """Lock the table of matches: reading goes on, writing waits; it is unlocked at the end."""
    connection = _connected(on)
    try:
        try:
            connection.execute(f"SET lock_timeout TO {LOCK_MS}")
            connection.execute("LOCK TABLE matches IN EXCLUSIVE MODE")
        except psycopg.Error as error:
            raise LabError(f"the table of matches could not be locked: {error}") from error
        yield
    finally:
        with suppress(psycopg.Error):  # the lock ends with its connection, also with a dead one
            connection.close()


@fault("database-full", leaves=Leaves.RETRIES, strikes="database")
def database_full(on: Target[Substrate]) -> Iterator[None]:
    """Fail every write as on a full disk (53100), while reading goes on; there is room at the end.

    PostgreSQL itself raises it, in a trigger: to fill the disk would harm the whole machine.
    """
    try:
        _carry_out(on, *_FULL)
        yield
    finally:
        _carry_out(on, _FREE)


def _carry_out(on: Target[Substrate], *statements: LiteralString) -> None:
    """Carry out statements in one transaction."""
    try:
        with _connected(on) as connection:
            connection.execute(f"SET lock_timeout TO {LOCK_MS}")
            for each in statements:
                connection.execute(each)
    except psycopg.Error as error:
        raise LabError(f"the database does not do what the fault needs: {error}") from error


def _connected(on: Target[Substrate]) -> psycopg.Connection:
    try:
        return psycopg.connect(on.endpoints.database_url, connect_timeout=CONNECT_S)
    except psycopg.Error as error:
        raise LabError(f"no connection to the database: {error}") from error
