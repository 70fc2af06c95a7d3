"""A small receiver of Alertmanager's messages on this machine, for experiments."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Self

HOST = "127.0.0.1"
BODY_BYTES_MAX = 1_000_000
KEPT_MAX = 10_000
READ_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert as it arrived.

    Attributes:
        status: `firing` or `resolved`.
        at: when it arrived.
    """

    name: str
    status: str
    labels: dict[str, str]
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Webhook:
    """Receives alerts while it is entered. Use as a context manager.

    Attributes:
        url: for Alertmanager's `webhook_configs`.
        received: the newest `KEPT_MAX` alerts, oldest first.
    """

    def __init__(self) -> None:
        self.received: deque[Notice] = deque(maxlen=KEPT_MAX)
        self._server = _Server((HOST, 0), _Handler)
        self._server.received = self.received
        self.url = f"http://{HOST}:{self._server.server_port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="webhook"
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def notices(self, name: str, status: str, since: datetime | None = None) -> list[Notice]:
        """The notices of one alert and status, since a moment if one is given; oldest first."""
        return [
            notice
            for notice in list(self.received)
            if notice.name == name
            and notice.status == status
            and (since is None or notice.at >= since)
        ]


def parse(body: bytes) -> list[Notice]:
    """The alerts of one message of Alertmanager.

    Raises:
        ValueError: it is no message of Alertmanager.
    """
    message = json.loads(body)
    if not isinstance(message, dict) or not isinstance(message.get("alerts"), list):
        raise ValueError("not a message of Alertmanager: it has no list of alerts")  # noqa: TRY004
    return [_notice(alert) for alert in message["alerts"]]


def _notice(alert: Any) -> Notice:
    try:
        labels = dict(alert["labels"])
        return Notice(str(labels["alertname"]), str(alert["status"]), labels)
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an alert of Alertmanager: {error!r} is missing") from error


class _Server(HTTPServer):
    received: deque[Notice]


class _Handler(BaseHTTPRequestHandler):
    timeout = READ_WITHIN_S  # one sender at a time: a silent one must not block the next
    server: _Server

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if not 0 < length <= BODY_BYTES_MAX:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return
        try:
            self.server.received.extend(parse(self.rfile.read(length)))
        except ValueError as error:
            self.send_error(HTTPStatus.BAD_REQUEST, str(error)[:200])
            return
        self.send_response(HTTPStatus.NO_CONTENT)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: the alerts themselves are the record."""
