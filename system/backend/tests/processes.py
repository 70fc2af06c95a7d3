"""A backend as it is run: a process of its own, started by its command."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import urllib3

from system.backend.tests.serving import TOKEN, Client
from system.settings import PREFIX
from system.tests.ports import free_port

START_S = 120
STOP_S = 60


@contextmanager
def started(
    database_url: str, log: Path, *, wrapper: str | None = None, **settings: object
) -> Iterator[tuple[Client, psutil.Process]]:
    """Start a backend and wait until it is ready; stop it at the end.

    Args:
        log: file for what it says.
        wrapper: a module of `system.tests.weakened` to run it by.
        settings: in the environment, by their names in `BackendSettings`; `<name>_file` takes the
            place of a secret.
    """
    port = free_port()
    usual = {"database_url": database_url, "api_token": TOKEN}
    given = {name: each for name, each in usual.items() if f"{name}_file" not in settings}
    given |= {name: str(each) for name, each in settings.items()}
    modules = [wrapper, "system.backend"] if wrapper else ["system.backend"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *modules, "serve", "--port", str(port)],
            env=os.environ | {f"{PREFIX}{name.upper()}": each for name, each in given.items()},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    client = Client(port, trusted=settings.get("cert_file"))
    try:
        _await_ready(client, process, log)
        yield client, psutil.Process(process.pid)
        process.terminate()
        process.wait(STOP_S)
    finally:
        client.close()
        process.kill()
        process.wait()


def _await_ready(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if client.get("/readyz")[0] == 200:
                return
        except urllib3.exceptions.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the backend did not come up:\n{log.read_text(errors='replace')}")
