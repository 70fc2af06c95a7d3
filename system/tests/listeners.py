"""Servers that are reached by TLS: listeners of a running broker, the backend, and a Redis."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from pydantic import SecretStr

from system.backend import app as backend
from system.settings import BackendSettings
from system.tests.certificates import Authority, Certificate
from system.worker.tests.bench import until


def listen(lab: Any, authority: Authority, shown: Certificate, verify: str) -> int:
    """One more listener of the running broker, as `listeners.ssl` would make it at its start."""
    port = _free_port()
    options = (
        f'[{{cacertfile,"{authority.root.cert}"}},{{certfile,"{shown.cert}"}},'
        f'{{keyfile,"{shown.key}"}},{{verify,{verify}}}'
        + (",{fail_if_no_peer_cert,true}]" if verify == "verify_peer" else "]")
    )
    lab.substrate.control_broker(
        "eval",
        "application:ensure_all_started(ssl),"
        f'rabbit_networking:start_ssl_listener({{"127.0.0.1",{port},inet}},{options},2).',
    )
    return port


def with_tls(url: str, port: int) -> str:
    parts = urlsplit(url)
    return f"amqps://{parts.username}:{parts.password}@127.0.0.1:{port}{parts.path}"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def https(lab: Any, shown: Certificate) -> Iterator[str]:
    """The backend itself, served by TLS."""
    settings = BackendSettings(
        database_url=SecretStr(lab.endpoints.database_url), api_token=SecretStr("token")
    )
    port = _free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            backend.create(settings),
            port=port,
            log_config=None,
            ssl_certfile=shown.cert,
            ssl_keyfile=shown.key,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        until("the backend to serve", lambda: server.started)
        yield f"https://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)


@contextmanager
def redis_server(shown: Certificate) -> Iterator[str]:
    port = _free_port()
    words = (
        *("--port", "0", "--tls-port", str(port), "--bind", "127.0.0.1", "--save", ""),
        *("--tls-cert-file", str(shown.cert), "--tls-key-file", str(shown.key)),
        *("--tls-ca-cert-file", str(shown.cert), "--tls-auth-clients", "no"),
    )
    server = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
    try:
        until("Redis to listen", lambda: _accepts(port))
        yield f"rediss://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _accepts(port: int) -> bool:
    with socket.socket() as link:
        return link.connect_ex(("127.0.0.1", port)) == 0
