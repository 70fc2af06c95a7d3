"""A gateway in front of the API, with a rule that refuses matches."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY_BYTES_MAX = 1024 * 1024
REFUSAL = "a rule of this gateway forbids it"


class _Refusing(BaseHTTPRequestHandler):
    timeout = 10

    def do_POST(self) -> None:
        """Let pass what holds no match: a worker asks so, before it begins, whether it may post."""
        length = min(int(self.headers.get("Content-Length", "0")), BODY_BYTES_MAX)
        if json.loads(self.rfile.read(length)) == []:
            self._answer(HTTPStatus.OK, json.dumps({"outcomes": []}))
        else:
            self._answer(HTTPStatus.FORBIDDEN, REFUSAL)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: HTTPStatus, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def refusing_gateway() -> Iterator[str]:
    """Its address, for the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Refusing)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="gateway", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
