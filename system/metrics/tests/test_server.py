"""The server of metrics: one page, for whoever asks within its time."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable

import pytest
import urllib3
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from system.errors import SettingsError
from system.metrics import server as servers
from system.metrics.server import serving
from system.worker.tests.bench import until

HOST = "127.0.0.1"


class Answers(Collector):
    """Collects one gauge, or fails."""

    trouble: Exception | None = None

    def collect(self) -> Iterable[Metric]:
        """One gauge, or the trouble."""
        if self.trouble is not None:
            raise self.trouble
        yield GaugeMetricFamily("answer", "The answer", value=42)


def get(port: int, path: str = "/metrics", method: str = "GET") -> urllib3.BaseHTTPResponse:
    return urllib3.request(method, f"http://{HOST}:{port}{path}", timeout=30, retries=False)


def test_it_serves_metrics_and_nothing_else() -> None:
    with serving(HOST, 0, [Answers()]) as server:
        answer = get(server.port)
        assert answer.status == 200
        assert "answer 42.0\n" in answer.data.decode()
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert get(server.port, "/metrics?x=1").status == 200
        assert get(server.port, "/").status == 404
        assert get(server.port, method="DELETE").status == 501


def test_what_cannot_be_collected_is_an_error_and_no_page() -> None:
    collector = Answers()
    with serving(HOST, 0, [collector]) as server:
        collector.trouble = ValueError("the outbox is broken")
        answer = get(server.port)
        assert answer.status == 500
        assert b"the outbox is broken" in answer.data
        collector.trouble = None
        assert get(server.port).status == 200


def _answers(port: int) -> bool:
    try:
        return get(port).status == 200
    except urllib3.exceptions.HTTPError:
        return False


@pytest.mark.parametrize("said", [b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: x\r\n"])
def test_who_does_not_finish_asking_holds_nobody_up(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "WITHIN_S", 0.3)
    with (
        serving(HOST, 0, [Answers()]) as server,
        socket.create_connection((HOST, server.port)) as s,
    ):
        s.sendall(said)
        # On a busy machine a client may need more than the 0.3 s that it has, too.
        until("who asks to be answered", lambda: _answers(server.port))


def test_who_asks_a_byte_at_a_time_has_no_longer_than_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(servers, "WITHIN_S", 0.5)
    with (
        serving(HOST, 0, [Answers()]) as server,
        socket.create_connection((HOST, server.port)) as s,
    ):
        s.settimeout(0.1)
        ended, begun = False, time.monotonic()
        while not ended and time.monotonic() - begun < 60:
            try:
                s.send(b"x")
                ended = s.recv(1) == b""
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended


def test_a_taken_port_is_told() -> None:
    with (
        serving(HOST, 0, []) as server,
        pytest.raises(SettingsError, match=f"port {server.port}.*MISSING_TABLE_METRICS_PORT"),
        serving(HOST, server.port, []),
    ):
        pass


def test_after_its_end_the_port_is_free_again() -> None:
    with serving(HOST, 0, []) as server:
        port = server.port
        get(port)
    with serving(HOST, port, [Answers()]):
        assert get(port).status == 200
