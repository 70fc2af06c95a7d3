"""A backend that really serves, on a free port of its own, and a client for it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import urllib3
import uvicorn
from pydantic import SecretStr

from system.backend import app
from system.settings import BackendSettings

TOKEN = "a token for tests"
START_S = 60


class Client:
    """Talks to one backend; every answer must be JSON, unless `raw`.

    Args:
        trusted: PEM file of a certificate; the backend serves https then.
    """

    def __init__(self, port: int, trusted: object = None) -> None:
        self.url = f"http{'s' if trusted else ''}://127.0.0.1:{port}"
        self.port = port
        self._pool = urllib3.PoolManager(
            maxsize=8, timeout=30, retries=False, ca_certs=str(trusted) if trusted else None
        )

    def get(self, path: str, **query: Any) -> tuple[int, Any]:
        """GET; returns the status and the decoded answer."""
        answer = self.raw("GET", path, fields=query or None)
        return answer.status, answer.json()

    def post(self, payload: Any, *, token: str | None = TOKEN) -> tuple[int, Any]:
        """POST `payload` as JSON to /api/matches."""
        headers = {"Content-Type": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        answer = self.raw("POST", "/api/matches", body=body, headers=headers)
        return answer.status, answer.json()

    def raw(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> urllib3.BaseHTTPResponse:
        """Any request; returns the whole answer."""
        return self._pool.request(method, self.url + path, headers=dict(headers or {}), **more)

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()


def settings(database_url: str, **more: Any) -> BackendSettings:
    """Settings of a backend for tests."""
    return BackendSettings(database_url=SecretStr(database_url), api_token=SecretStr(TOKEN), **more)


@contextmanager
def serving(database_url: str, **more: Any) -> Iterator[Client]:
    """Serve in a thread, and stop at the end."""
    application = app.create(settings(database_url, **more))
    config = uvicorn.Config(
        application,
        http=application.state.protocol,
        ws="none",
        host="127.0.0.1",
        port=0,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + START_S
    while not server.started:
        assert thread.is_alive(), "the backend stopped while starting"
        assert time.monotonic() < deadline, "the backend did not start"
        time.sleep(0.01)
    client = Client(server.servers[0].sockets[0].getsockname()[1])
    try:
        yield client
    finally:
        client.close()
        server.should_exit = True
        thread.join(START_S)
        assert not thread.is_alive(), "the backend did not stop"
