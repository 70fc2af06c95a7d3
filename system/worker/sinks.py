"""Where a worker hands matches to: the backend's API, or its database (see `database_sink`)."""

from __future__ import annotations

from system import tls
from system.client import BackendClient
from system.contract.submission import Outcome, Submission
from system.errors import SettingsError
from system.metrics.effects import EffectMetrics
from system.settings import SinkKind, WorkerSettings
from system.worker import handling


class ApiSink:
    """Posts to the backend."""

    def __init__(self, client: BackendClient) -> None:
        self._client = client

    def apply(self, submission: Submission) -> Outcome:
        """See handling.Sink."""
        (outcome,) = self._client.post([submission])
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
        # Loaded here: it costs every other worker memory, and a sixth of its start.
        from system.worker.database_sink import DatabaseSink

        return DatabaseSink(settings.database_url.get_secret_value(), effects)
    if settings.api_url is None or settings.api_token is None:
        raise SettingsError(
            "MISSING_TABLE_API_URL and MISSING_TABLE_API_TOKEN are not set; the api sink needs them"
        )
    token = settings.api_token.get_secret_value()
    return ApiSink(BackendClient(settings.api_url, token, tls.trust(settings)))
