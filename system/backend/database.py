"""The connections to PostgreSQL: a bounded pool, and a limit for every wait."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from anyio import CapacityLimiter, fail_after, to_thread
from psycopg import IsolationLevel, errors
from psycopg.abc import PQGen
from psycopg_pool import ConnectionPool, PoolTimeout
from pydantic import SecretStr

from system.backend import migrations
from system.backend.metrics import BackendMetrics
from system.errors import DatabaseUnavailable
from system.secret_files import as_secret

T = TypeVar("T")

CONNECT_S = 3
STATEMENT_S = 10
ANSWER_S = STATEMENT_S + 2.0
"""After this the connection is given up: a server that answers ends the statement sooner."""
WAIT_S = 3.0
"""A request waits this long for its turn; a longer queue would only make all of them late."""
CHECK_AFTER_S = 0.1
"""A connection that has been idle for longer is tried before it is used. That takes a turn to the
server; that one has been ended is told without."""
RECONNECT_S = 2.0
"""The pool gives up connecting after this; the next request makes it try again."""


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that gives up if no answer comes, as behind a link that drops everything.

    Attributes:
        worked_at: when it last did its work to the end, in monotonic seconds.
    """

    worked_at = -math.inf

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Wait as psycopg does, but never longer than ANSWER_S."""
        deadline = time.monotonic() + ANSWER_S
        try:
            return super().wait(gen, interval, ANSWER_S if timeout is None else timeout)
        except errors.OperationalError:
            if time.monotonic() >= deadline:
                self.pgconn.finish()  # a late answer would belong to no request
            raise


class Database:
    """The pool, and the threads that the work runs in.

    Args:
        url: as in `BackendSettings.database_url`; looked up at each attempt to connect.
        size: connections at most, and so operations at a time.
    """

    def __init__(self, url: str | SecretStr, size: int, metrics: BackendMetrics) -> None:
        self._metrics = metrics
        self._size = size
        self._turns: CapacityLimiter | None = None
        self._pool = ConnectionPool(
            as_secret(url).get_secret_value,
            connection_class=BoundedConnection,
            kwargs={
                "autocommit": True,  # `store` opens its own transactions; reading needs none
                "connect_timeout": CONNECT_S,
                "application_name": "missing-table-backend",
            },
            configure=_configure,
            check=check,
            min_size=1,
            max_size=size,
            timeout=WAIT_S,
            reconnect_timeout=RECONNECT_S,
            open=False,
            name="backend",
        )

    def open(self) -> None:
        """Begin to connect, without waiting for it. Call it inside the event loop."""
        self._turns = CapacityLimiter(self._size)
        self._pool.open(wait=False)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close(timeout=CONNECT_S)

    async def run(self, operation: str, work: Callable[[BoundedConnection], T]) -> T:
        """Do `work` with a connection, in a thread; `operation` names it in the metrics.

        Raises:
            DatabaseUnavailable: not reached, too busy, or not migrated.
        """
        if self._turns is None:
            raise DatabaseUnavailable("the backend is not started")
        turn = object()
        try:
            with fail_after(WAIT_S):
                await self._turns.acquire_on_behalf_of(turn)
        except TimeoutError:
            raise DatabaseUnavailable(
                f"all {self._size} database connections stayed busy for {WAIT_S:g} s"
            ) from None
        try:
            # The turn is the limit; the threads' own limit would be a second, unbounded queue.
            return await to_thread.run_sync(self._run, operation, work, limiter=CapacityLimiter(1))
        finally:
            self._turns.release_on_behalf_of(turn)

    def _run(self, operation: str, work: Callable[[BoundedConnection], T]) -> T:
        try:
            with self._pool.connection() as connection, self._metrics.database(operation):
                done = work(connection)
                connection.worked_at = time.monotonic()
                return done
        except PoolTimeout as error:
            raise DatabaseUnavailable(
                f"PostgreSQL gave no connection within {WAIT_S:g} s; is it running?"
            ) from error
        except errors.UndefinedTable as error:
            raise DatabaseUnavailable(
                "the database is not migrated; run `python -m system.backend migrate`"
            ) from error
        except (errors.OperationalError, errors.InterfaceError) as error:
            raise DatabaseUnavailable(f"PostgreSQL: {str(error).strip()}") from error

    async def check(self) -> None:
        """Check that the database answers and is migrated.

        A later revision will do: the pods of an earlier version serve on while they are replaced,
        and again after a rollback, which takes no migration back.

        Raises:
            DatabaseUnavailable: it does not, or is not; the text says what to do.
        """
        revision = await self.run("ready", _revision)
        if revision is None or revision < migrations.head():
            raise DatabaseUnavailable(
                f"the database is at revision {revision}, this backend needs {migrations.head()};"
                " run `python -m system.backend migrate`"
            )


def check(connection: BoundedConnection) -> None:
    """Ask whether the server is still there, unless the connection has worked just now.

    If the server has ended it, that has come, and is enough to ask.

    Raises:
        psycopg.OperationalError: it is not.
    """
    is_fresh = time.monotonic() - connection.worked_at < CHECK_AFTER_S
    if not is_fresh or _has_come(connection.fileno()):
        ConnectionPool.check_connection(connection)


def _has_come(descriptor: int) -> bool:
    """Whether there is something to read, or an end."""
    look = select.poll()
    look.register(descriptor, select.POLLIN)
    return bool(look.poll(0))


def _configure(connection: BoundedConnection) -> None:
    connection.isolation_level = IsolationLevel.READ_COMMITTED
    connection.execute(
        "SELECT set_config('statement_timeout', %s, false),"
        " set_config('idle_in_transaction_session_timeout', %s, false),"
        " set_config('TimeZone', 'UTC', false),"
        # What is answered is on disk, though the default of server, database or role be less.
        " set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
        "   WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)",
        [f"{STATEMENT_S}s", f"{STATEMENT_S}s"],
    )


def _revision(connection: BoundedConnection) -> str | None:
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])
