"""Where a worker hands matches to: the backend's API, or its database (see `database_sink`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from system import tls
from system.client import BackendClient
from system.contract.submission import Outcome, Submission
from system.errors import LoginRefused, NotTheBackend, Refused, SettingsError
from system.metrics.effects import EffectMetrics
from system.settings import SinkKind, WorkerSettings
from system.worker import handling


class ApiSink:
    """Posts to the backend."""

    def __init__(self, client: BackendClient) -> None:
        self._client = client

    def apply(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """See handling.Sink."""
        return self._client.post(submissions)

    def probe(self) -> None:
        """See handling.Sink."""
        try:
            self._client.post([])
        except (LoginRefused, NotTheBackend, Refused) as refusal:
            raise SettingsError(
                f"the backend refuses MISSING_TABLE_API_TOKEN, or MISSING_TABLE_API_URL is no"
                f" backend's: {refusal}"
            ) from refusal


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
        # Loaded here: it costs every other worker memory, and a sixth of its start.
        from system.worker.database_sink import DatabaseSink

        skew = timedelta(seconds=settings.clock_skew_s)
        return DatabaseSink(settings.database_url, effects, skew)
    needs = {"API_URL": settings.api_url, "API_TOKEN": settings.api_token}
    missing = [f"MISSING_TABLE_{name}" for name, value in needs.items() if value is None]
    if settings.api_url is None or settings.api_token is None:
        raise SettingsError(f"not set, and the api sink needs it: {', '.join(missing)}")
    return ApiSink(BackendClient(settings.api_url, settings.api_token, tls.trust(settings)))
