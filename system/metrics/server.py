"""Serves `/metrics` from a thread, one request at a time, each within a few seconds.

The thread shares nothing with what it reports on: it reads files and asks the kernel. So it answers
while the worker waits for its broker, and at a fork of the main process it never holds a lock that
the child needs. That is why it logs nothing (a log has a lock; an error is the answer instead), and
why `serving` encodes the page once before the thread starts: nothing is left to import later.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from system.errors import SettingsError

WITHIN_S = 5.0
"""For the whole head of a request, and again for the answer."""
_HEAD_BYTES_MAX = 16 * 1024
_STOP_WITHIN_S = 0.5


class MetricsServer:
    """A server of metrics; use `serving`."""

    def __init__(self, host: str, port: int, collectors: Sequence[Collector]) -> None:
        self.registry = CollectorRegistry()
        for collector in collectors:
            self.registry.register(collector)
        try:
            self._server = _TcpServer((host, port), self.registry)
        except OSError as error:
            raise SettingsError(
                f"metrics cannot be served on {host} port {port}: {error}; set"
                " MISSING_TABLE_METRICS_PORT and MISSING_TABLE_METRICS_HOST to an address of this"
                " machine that is free"
            ) from error

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def forget(self) -> None:
        """In a child after a fork: close the port, which the child would keep in use otherwise."""
        self._server.socket.close()

    def run(self) -> None:
        """Serve until `stop` is called, in another thread."""
        self._server.serve_forever(_STOP_WITHIN_S)

    def stop(self) -> None:
        """End `run`, and listen no longer."""
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(host: str, port: int, collectors: Sequence[Collector]) -> Iterator[MetricsServer]:
    """Serve what `collectors` collect, for the block.

    Raises:
        SettingsError: the port is taken, or the address is not this machine's.
    """
    server = MetricsServer(host, port, collectors)
    with suppress(Exception):  # a request gets this error as its answer
        choose_encoder("")[0](server.registry)
    thread = threading.Thread(target=server.run, name="metrics", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(2 * WITHIN_S)


class _TcpServer(TCPServer):
    """Not http.server's own: that one resolves its host's name, which may take long."""

    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], registry: CollectorRegistry) -> None:
        self.registry = registry
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up or was too slow gets nothing; this is not an error of ours."""


class _Handler(BaseHTTPRequestHandler):
    server: _TcpServer
    server_version = "metrics"
    sys_version = ""

    def setup(self) -> None:
        """Read the whole head first, against one deadline: a slow client must not block others."""
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(io.BytesIO(_head(self.connection)))
        self.connection.settimeout(WITHIN_S)

    def do_GET(self) -> None:
        """Answer with the metrics, or with the error in reading them."""
        if self.path.partition("?")[0] != "/metrics":
            self._answer(HTTPStatus.NOT_FOUND, b"only /metrics is here\n")
            return
        encode, kind = choose_encoder(self.headers.get("Accept", ""))
        try:
            page = encode(self.server.registry)
        except Exception as error:
            # No page rather than a wrong one: Prometheus shows the target as down, and why.
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, f"{error}\n".encode())
            return
        self._answer(HTTPStatus.OK, page, kind)

    def log_message(self, *_: object) -> None:
        """Log nothing; see the module's text."""

    def _answer(
        self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8"
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _head(connection: socket.socket) -> bytes:
    """The bytes up to the empty line; none, if they do not come in time."""
    head, deadline = b"", time.monotonic() + WITHIN_S
    with suppress(OSError):
        while b"\r\n\r\n" not in head and len(head) < _HEAD_BYTES_MAX:
            connection.settimeout(max(0.001, deadline - time.monotonic()))
            if not (more := connection.recv(4096)):
                break
            head += more
    return head if b"\r\n\r\n" in head else b""
