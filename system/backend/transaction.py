"""The transaction in which the store works: all of its statements look up rows by keys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from system.backend import statements


@contextmanager
def by_keys(connection: psycopg.Connection) -> Iterator[None]:
    """Commit at the end of the block; roll back if it raises.

    psycopg's own begins in a turn to the server of its own, and what is set for it takes another.

    Args:
        connection: in autocommit mode, outside of any transaction.

    Raises:
        psycopg.Error: from the database, also by the commit.
        ValueError: the connection would open transactions by itself.
    """
    if not connection.autocommit:
        raise ValueError("the connection has to be in autocommit mode")
    try:
        connection.execute(statements.BEGIN, prepare=False)  # several commands cannot be prepared
        yield
        connection.commit()
    except BaseException:
        with suppress(psycopg.Error):  # then the connection is lost, and its transaction with it
            connection.rollback()
        raise
