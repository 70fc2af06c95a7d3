"""Redis servers of a test's own: behind TLS, or behind a password."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from system.tests.certificates import Certificate
from system.tests.ports import free_port
from system.worker.tests.bench import until


@contextmanager
def redis_server(shown: Certificate) -> Iterator[str]:
    port = free_port()
    words = (
        *("--port", "0", "--tls-port", str(port)),
        *("--tls-cert-file", str(shown.cert), "--tls-key-file", str(shown.key)),
        *("--tls-ca-cert-file", str(shown.cert), "--tls-auth-clients", "no"),
    )
    with _redis(port, *words):
        yield f"rediss://127.0.0.1:{port}/0"


@contextmanager
def redis_with_password(password: str) -> Iterator[int]:
    """A Redis behind a password; its port."""
    port = free_port()
    with _redis(port, "--port", str(port), "--requirepass", password):
        yield port


@contextmanager
def _redis(port: int, *words: str) -> Iterator[None]:
    words = (*words, "--bind", "127.0.0.1", "--save", "")
    server = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
    try:
        until("Redis to listen", lambda: _accepts(port))
        yield
    finally:
        server.terminate()
        server.wait(timeout=60)


def _accepts(port: int) -> bool:
    with socket.socket() as link:
        return link.connect_ex(("127.0.0.1", port)) == 0
