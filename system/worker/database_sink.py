"""The sink that writes to the backend's database; loaded only by workers that use it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import psycopg
from pydantic import SecretStr

from system.backend import store
from system.contract.observation import SKEW
from system.contract.submission import Outcome, Submission
from system.errors import DatabaseUnavailable, SettingsError
from system.metrics.effects import EffectMetrics
from system.secret_files import as_secret

CONNECT_S = 3
STATEMENT_MS = 10_000

# libpq tells no code of a login that fails, and a server may speak another language: then the
# worker waits, as for one that is unavailable.
_REFUSALS = (
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "no pg_hba.conf entry",
    "permission denied for database",
)


class DatabaseSink:
    """Writes to the backend's database without its API, and counts the effects in its place.

    The address is looked up at each attempt to connect.
    """

    def __init__(
        self, url: str | SecretStr, effects: EffectMetrics | None = None, skew: timedelta = SKEW
    ) -> None:
        self._url = as_secret(url)
        self._skew = skew
        self._effects = effects
        self._connection: psycopg.Connection | None = None

    def apply(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """See handling.Sink."""
        received_at = datetime.now(UTC)
        try:
            connection = self._connected()
            outcomes = store.submit(
                connection, submissions, received_at=received_at, skew=self._skew
            )
        except psycopg.OperationalError as error:
            self._connection = None
            raise DatabaseUnavailable(str(error)) from error
        if self._effects is not None:
            self._effects.applied(submissions, outcomes, received_at)
        return outcomes

    def probe(self) -> None:
        """See handling.Sink."""
        try:
            self._connected()
        except psycopg.OperationalError as error:
            if any(words in str(error) for words in _REFUSALS):
                raise SettingsError(f"MISSING_TABLE_DATABASE_URL is refused: {error}") from None
            raise DatabaseUnavailable(str(error)) from error
        except psycopg.ProgrammingError as error:
            raise SettingsError(f"MISSING_TABLE_DATABASE_URL is no address: {error}") from None

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url.get_secret_value(),
                autocommit=True,  # `store` opens its own transactions
                connect_timeout=CONNECT_S,
                # A delivery is acknowledged once its commit is on disk, whatever the default is.
                options=f"-c statement_timeout={STATEMENT_MS} -c synchronous_commit=on",
                application_name="worker",
            )
        return self._connection
