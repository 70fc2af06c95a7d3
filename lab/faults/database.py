"""Faults within the database: a lock that holds up every write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import psycopg

from lab.errors import LabError
from lab.faults.registry import Target, fault
from lab.faults.residue import Leaves
from lab.substrates.protocol import Substrate

CONNECT_S = 20
LOCK_MS = 10_000
"""How long the lock may take: those who write now have to end first."""


@fault("matches-locked", leaves=Leaves.RETRIES, strikes="database")
def matches_locked(on: Target[Substrate]) -> Iterator[None]:
    """Lock the table of matches: reading goes on, writing waits; it is unlocked at the end."""
    try:
        connection = psycopg.connect(on.endpoints.database_url, connect_timeout=CONNECT_S)
    except psycopg.Error as error:
        raise LabError(f"no connection to the database: {error}") from error
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
