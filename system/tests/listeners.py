"""Servers that are reached by TLS: listeners of a running broker, and the backend."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from pydantic import SecretStr

from system import tls
from system.backend import app as backend
from system.settings import BackendSettings
from system.tests.certificates import Authority, Certificate
from system.tests.ports import free_port
from system.worker.tests.bench import until


def listen(lab: Any, authority: Authority, shown: Certificate, verify: str) -> int:
    """One more listener of the running broker, as `listeners.ssl` would make it at its start."""
    port = free_port()
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


@dataclass(frozen=True)
class Files:
    """As the settings hold them."""

    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None


@contextmanager
def https(lab: Any, files: Files) -> Iterator[str]:
    """The backend itself, served by TLS as `serve` does it."""
    settings = BackendSettings(
        database_url=SecretStr(lab.endpoints.database_url), api_token=SecretStr("token")
    )
    context = tls.server(files)
    assert context is not None
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(
            backend.create(settings),
            port=port,
            log_config=None,
            ssl_context_factory=lambda *_: context,
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
