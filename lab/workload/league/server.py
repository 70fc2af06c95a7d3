"""Serves the league site over HTTP: threads, bounds and the delay of a page."""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from threading import BoundedSemaphore
from typing import Any

import typer

from lab.workload.league.views import Views

CONNECTIONS_MAX = 256
IDLE_S_MAX = 30.0


class LeagueServer(ThreadingHTTPServer):
    """Serves `views` on `address`; a connection has its own thread.

    Args:
        address: host and port; port 0 takes a free one, `url` says which.
        views: what to answer.
        page_delay_s: seconds that every schedule page takes; pages do not wait for each other.
        verbose: one line per request on standard output.

    Raises:
        OSError: the address cannot be listened on.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], views: Views, *, page_delay_s: float, verbose: bool = False
    ) -> None:
        self.views = views
        self.page_delay_s = page_delay_s
        self.verbose = verbose
        self._free = BoundedSemaphore(CONNECTIONS_MAX)
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/"

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Hang up on connections beyond the bound."""
        return self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, then make room for another."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client may hang up at any time; everything else is a bug and is printed."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers GET on a connection that may be used again."""

    server: LeagueServer
    protocol_version = "HTTP/1.1"
    server_version = "league"
    sys_version = ""
    timeout = IDLE_S_MAX
    wbufsize = -1  # head and body leave together, or the second would wait for an acknowledgement
    connection: socket

    def do_GET(self) -> None:
        """Answer one request."""
        answer = self.server.views.answer(self.path)
        if answer.slow:
            time.sleep(self.server.page_delay_s)  # not a wait: this simulates a slow site
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """One line on standard output, if asked for."""
        if self.server.verbose:
            typer.echo(f"{self.address_string()} {format % args}")
