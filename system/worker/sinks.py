"""Where a worker hands matches to: the backend's API, or its database directly."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg

from system import tls
from system.backend import store
from system.client import BackendClient
from system.contract.submission import Effect, Outcome, Submission
from system.errors import ContractViolation, DatabaseUnavailable, SettingsError, Violation
from system.metrics.effects import EffectMetrics
from system.settings import SinkKind, WorkerSettings
from system.worker import handling

CONNECT_S = 3
STATEMENT_MS = 10_000


class ApiSink:
    """Posts to the backend."""

    def __init__(self, client: BackendClient) -> None:
        self._client = client

    def apply(self, submission: Submission) -> Outcome:
        """See handling.Sink."""
        (outcome,) = self._client.post([submission])
        return _valid(outcome)


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
        return _valid(outcome)

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                connect_timeout=CONNECT_S,
                options=f"-c statement_timeout={STATEMENT_MS}",
                application_name="worker",
            )
        return self._connection


def _valid(outcome: Outcome) -> Outcome:
    if outcome.effect is Effect.INVALID:
        raise ContractViolation([Violation(**violation) for violation in outcome.violations])
    return outcome


def make(settings: WorkerSettings, effects: EffectMetrics | None = None) -> handling.Sink:
    """Build the sink that the settings name.

    Args:
        settings: of the worker.
        effects: counts what the database sink commits.

    Raises:
        SettingsError: it lacks an address or a secret.
    """
    if settings.sink is SinkKind.DATABASE:
        if settings.database_url is None:
            raise SettingsError("MISSING_TABLE_DATABASE_URL is not set; the database sink needs it")
        return DatabaseSink(settings.database_url.get_secret_value(), effects)
    if settings.api_url is None or settings.api_token is None:
        raise SettingsError(
            "MISSING_TABLE_API_URL and MISSING_TABLE_API_TOKEN are not set; the api sink needs them"
        )
    token = settings.api_token.get_secret_value()
    return ApiSink(BackendClient(settings.api_url, token, tls.trust(settings)))
