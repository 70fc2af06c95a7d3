"""Runs in a container of the lab: programs, files of the working folder, and relays, on request.

    the lab ── HTTP, a token, JSON ──> this ── starts ──> the scraper, a worker, …

It stands on Python and the system's packages alone. Only the lab's network reaches it, and this
machine by a port of its own.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.paths import PROJECT
from lab.substrates.relays import Relays

TOKEN = "LAB_RUNNER_TOKEN"  # noqa: S105 - the name of a variable
RELAYS = "LAB_RUNNER_RELAYS"
REQUEST_BYTES_MAX = 64 * 1024 * 1024
PIECE_BYTES_MAX = 16 * 1024 * 1024
WAIT_S_MAX = 20.0
_LINK_VERBS = ("cut", "stall", "slow", "answer", "half_open", "heal")


class Programs:
    """What was started, by its number."""

    def __init__(self, work: Path, logs: Path) -> None:
        self.work, self.logs = work, logs
        for folder in (work, logs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._numbers = itertools.count(1)
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, modules: list[str], settings: Mapping[str, str], log: str | None) -> int:
        """Start `python -m MODULES…` in the working folder; return its number.

        Args:
            log: the name of the log that both outputs go to; None keeps them apart, for `output`.
        """
        number = next(self._numbers)
        hidden = {TOKEN, RELAYS}
        env = {name: value for name, value in os.environ.items() if name not in hidden}
        names = [self.log(log)] if log else [self._output(number, n) for n in ("out", "err")]
        outputs = [name.open("ab") for name in names]
        try:
            self._running[number] = subprocess.Popen(
                [sys.executable, "-m", *modules],
                env={**env, "PYTHONPATH": str(PROJECT), **settings},
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=outputs[0],
                stderr=outputs[-1],
                start_new_session=True,
            )
        finally:
            for each in outputs:
                each.close()
        return number

    def wait(self, number: int, within_s: float) -> int | None:
        """Its exit code, negative if a signal ended it; None if it still runs after this time."""
        with suppress(subprocess.TimeoutExpired):
            return self._running[number].wait(min(within_s, WAIT_S_MAX))
        return None

    def send(self, number: int, what: str) -> None:
        """Ask it to end (`TERM`), or end it and its children (`KILL`)."""
        process = self._running[number]
        with suppress(ProcessLookupError):
            if what == "TERM":
                process.terminate()
            else:
                os.killpg(process.pid, signal.SIGKILL)

    def output(self, number: int) -> dict[str, str]:
        """What it printed; forgotten with that."""
        said = {}
        for name in ("out", "err"):
            path = self._output(number, name)
            said[name] = path.read_bytes().decode("utf-8", "replace")
            path.unlink()
        return said

    def file(self, name: str) -> Path:
        """A file of the working folder.

        Raises:
            ValueError: it would be elsewhere.
        """
        return _within(self.work, name)

    def log(self, name: str) -> Path:
        """A log."""
        return _within(self.logs, f"{name}.log")

    def _output(self, number: int, name: str) -> Path:
        return self.logs / f".{number}.{name}"


def _within(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} is not in the working folder")
    return path


class Server(ThreadingHTTPServer):
    """Takes requests of whoever has the token."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, port: int, programs: Programs, relays: Relays, token: str) -> None:
        self.programs, self.relays, self.token = programs, relays, token
        super().__init__(("0.0.0.0", port), _Handler)  # noqa: S104 - in the container


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 120
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        known = self.path == "/healthz"
        self._answer(HTTPStatus.OK if known else HTTPStatus.NOT_FOUND, b"")

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length", "0")), REQUEST_BYTES_MAX)
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        body = self.rfile.read(length)
        if not hmac.compare_digest(given, self.server.token):
            self._answer(HTTPStatus.UNAUTHORIZED, b"")
            return
        try:
            asked = json.loads(body)
            done = self._do(asked.pop("do"), asked)
        except (LabError, ValueError, KeyError, TypeError, OSError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}".encode())
            return
        if done is None:
            self._answer(HTTPStatus.NO_CONTENT, b"")
        else:
            content = done if isinstance(done, bytes) else json.dumps(done).encode()
            self._answer(HTTPStatus.OK, content)

    def _do(self, verb: str, given: dict[str, Any]) -> object:
        """Do what is asked for; bytes, something for JSON, or None for nothing."""
        programs = self.server.programs
        verbs: dict[str, Callable[..., object]] = {
            "start": lambda: programs.start(given["modules"], given["settings"], given["log"]),
            "wait": lambda: [programs.wait(given["number"], given["within_s"])],
            "send": lambda: programs.send(given["number"], given["what"]),
            "output": lambda: programs.output(given["number"]),
            "read": lambda: _piece(programs.file(given["file"]), given["offset"]),
            "write": lambda: _put(programs.file(given["file"]), given["content"]),
            "logs": lambda: sorted(path.stem for path in programs.logs.glob("*.log")),
            "log": lambda: _piece(programs.log(given["name"]), given["offset"]),
        }
        if verb in _LINK_VERBS:
            method = getattr(self.server.relays, verb)
            return method(given.pop("link"), **given)
        return verbs[verb]()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: HTTPStatus, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _piece(path: Path, offset: int) -> bytes | None:
    try:
        with path.open("rb") as content:
            content.seek(offset)
            return content.read(PIECE_BYTES_MAX)
    except FileNotFoundError:
        return None


def _put(path: Path, content: str) -> None:
    draft = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(base64.b64decode(content))
    draft.replace(path)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="lab.substrates.containers.inside", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="the working folder")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # what it started ends with its container
    relays = Relays()
    for each in json.loads(os.environ.get(RELAYS, "[]")):
        port, target = partial(int, each["port"]), partial(int, each["target"])
        ends = {key: each[key] for key in ("host", "to", "gentle") if key in each}
        relays.open_link(each["name"], port, target, **ends)
    logs = given.folder.with_name("logs")
    Server(given.port, Programs(given.folder, logs), relays, os.environ[TOKEN]).serve_forever()


if __name__ == "__main__":
    main()
