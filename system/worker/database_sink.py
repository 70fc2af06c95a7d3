"""The sink that writes to the backend's database; loaded only by workers that use it."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from system.backend import store
from system.contract.submission import Outcome, Submission
from system.errors import DatabaseUnavailable
from system.metrics.effects import EffectMetrics

CONNECT_S = 3
STATEMENT_MS = 10_000


class DatabaseSink:
    """Writes to the backend's database without its API, and counts the effects in its place."""

    def __init__(self, url: str, effects: EffectMetrics | None = None) -> None:
        self._url = url
        self._effects = effects
        self._connection: psycopg.Connection | None = None

    def apply(self, submission: Submission) -> Outcome:
        """See handling.Sink."""
        received_at = datetime.now(UTC)
        try:
            connection = self._connected()
            (outcome,) = store.submit(connection, [submission], received_at=received_at)
        except psycopg.OperationalError as error:
            self._connection = None
            raise DatabaseUnavailable(str(error)) from error
        if self._effects is not None:
            self._effects.applied([submission], [outcome], received_at)
        return outcome

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                connect_timeout=CONNECT_S,
                options=f"-c statement_timeout={STATEMENT_MS}",
                application_name="worker",
            )
        return self._connection
