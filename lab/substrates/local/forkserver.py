"""Starts this project's programs by forking a process that has imported them already.

Two thirds of a second of processor go into the imports of each program, which is most of what a
short one costs. A process that opens many labs, such as a run of the tests, saves it: one server
imports everything once, and each program begins as its copy. It runs like `python -m MODULE`, in a
session of its own if asked, with its own environment, folder, output and exit status. Only `ps`
shows the server's name, and memory that the copies share is counted for each.

    client ── request and open files ──> server ── fork ──> program
    client <── pid ───────────────────── server
    client <── exit status (a pipe) ──── server, which waits for the program

Linux only; anywhere else, and for a program with Python's own settings (PYTHON…) of its own, the
caller starts it in the usual way.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from lab.errors import SubstrateError
from lab.paths import PROJECT

AVAILABLE = sys.platform == "linux"
START_WITHIN_S = 120.0
_REQUEST_BYTES_MAX = 1024 * 1024
_PRELOADED = (
    "system.backend.__main__",
    "system.backend.app",
    "system.contract.__main__",
    "system.scraper.__main__",
    "system.worker.__main__",
    "system.worker.database_sink",
    "system.worker.dead_letters.__main__",
    "lab.workload.league.site",
    "celery.apps.worker",
    "celery.concurrency.prefork",
    "celery.worker.consumer",
    "kombu.transport.pyamqp",
    "uvicorn.protocols.http.httptools_impl",
)
_OWN = frozenset({"PYTHONPATH", "PYTHONUNBUFFERED"})  # of Python's settings, these are followed
_SIZE_BYTES = 4
_PR_SET_PDEATHSIG = 1


class Forked:
    """A started program, as `subprocess.Popen` describes one."""

    def __init__(self, pid: int, status: int) -> None:
        """Keep the end of the pipe that its exit status will come by."""
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Its exit status once it has ended; negative for a signal."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it still runs.
        """
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"pid {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def _look(self, within_s: float | None) -> int | None:
        deadline = None if within_s is None else time.monotonic() + within_s
        while self.returncode is None:
            with self._lock:
                if self.returncode is not None:
                    break
                left = 0.05 if deadline is None else min(max(0, deadline - time.monotonic()), 0.05)
                if select.select([self._status], [], [], left)[0]:
                    said = os.read(self._status, _SIZE_BYTES)
                    os.close(self._status)
                    # Without an answer the server itself is gone, and its programs with it.
                    code = int.from_bytes(said, "big", signed=True) if said else -signal.SIGKILL
                    self.returncode = code
            if deadline is not None and time.monotonic() >= deadline:
                break
        return self.returncode


class ForkServer:
    """The client's side. Programs end with the server, and the server with its caller."""

    def __init__(self, before: Sequence[str] = ()) -> None:
        """Start the server; it imports while the caller goes on.

        Args:
            before: a prefix of its command, such as one that lets it end with the caller.
        """
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(START_WITHIN_S)
        env = {**os.environ, "PYTHONPATH": str(PROJECT)}
        for name in [each for each in env if each.startswith("PYTHON") and each != "PYTHONPATH"]:
            del env[name]
        with theirs:
            self._process = subprocess.Popen(
                # Not `-m`: the package imports this module, and Python warns of one it has already.
                [
                    *(*before, sys.executable, "-c", f"from {__name__} import main; main()"),
                    str(theirs.fileno()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                env=env,
                cwd=PROJECT,
            )

    def takes(self, argv: Sequence[str], env: Mapping[str, str]) -> bool:
        """Whether it can start this: a module of Python, with settings like the server's."""
        own = {name for name in env if name.startswith("PYTHON")}
        return (
            list(argv[:2]) == [sys.executable, "-m"]
            and own <= _OWN
            and env.get("PYTHONPATH") == str(PROJECT)
        )

    def popen(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        out: IO[bytes],
        err: IO[bytes],
        umask: int = -1,
        session: bool = False,
        end: int = 0,
    ) -> Forked:
        """Start a program; it reads nothing.

        Args:
            argv: Python, `-m`, the module and its arguments.
            out, err: where its output goes.
            session: whether it leads a session of its own.
            end: the signal that it gets if the server dies; none if 0.

        Raises:
            SubstrateError: the server does not answer.
        """
        request = json.dumps(
            {
                "argv": [*argv[2:]],
                "env": dict(env),
                "cwd": str(cwd),
                "umask": umask,
                "session": session,
                "end": int(end),
            }
        ).encode()
        ours, theirs = os.pipe()
        try:
            with self._lock:
                size = len(request).to_bytes(_SIZE_BYTES, "big")
                socket.send_fds(self._socket, [size], [out.fileno(), err.fileno(), theirs])
                self._socket.sendall(request)
                pid = int.from_bytes(_receive(self._socket, _SIZE_BYTES), "big")
        except OSError as error:
            os.close(ours)
            raise SubstrateError(f"the fork server does not start {argv[2]}: {error}") from error
        finally:
            os.close(theirs)
        return Forked(pid, ours)

    def close(self) -> None:
        """End the server; programs that still run get their signal."""
        self._socket.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _receive(link: socket.socket, count: int) -> bytes:
    """Exactly `count` bytes.

    Raises:
        OSError: the other side is gone.
    """
    got = bytearray()
    while len(got) < count:
        piece = link.recv(count - len(got))
        if not piece:
            raise ConnectionError("the other side closed the connection")
        got += piece
    return bytes(got)


def _serve(link: socket.socket) -> int:
    """Answer requests until the client is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    libc = ctypes.CDLL(None, use_errno=True)
    for module in _PRELOADED:
        importlib.import_module(module)
    for module in _PRELOADED:
        if module.endswith(".__main__"):  # it is run anew, and Python warns of one that is there
            del sys.modules[module]
    if threading.active_count() > 1:
        raise SubstrateError("a module has started a thread; a copy would lack it")
    gc.freeze()
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([link.fileno(), woken], [], [])
        if woken in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(woken, 4096)
            _report(running)
        if link.fileno() in ready:
            size, files, _, _ = socket.recv_fds(link, _SIZE_BYTES, 3)
            if not size:
                return 0
            length = int.from_bytes(size, "big")
            if length > _REQUEST_BYTES_MAX:
                return 2
            request = json.loads(_receive(link, length))
            server = os.getpid()
            pid = os.fork()
            if pid == 0:
                _become(request, files, libc, server)
            running[pid] = files[2]
            for each in files[:2]:
                os.close(each)
            link.sendall(pid.to_bytes(_SIZE_BYTES, "big"))


def _report(running: dict[int, int]) -> None:
    """Write down how each program ended that has."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        pipe = running.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(pipe, code.to_bytes(_SIZE_BYTES, "big", signed=True))
        os.close(pipe)


def _become(request: dict[str, Any], files: list[int], libc: Any, server: int) -> NoReturn:
    """Turn this copy of the server into the program, run it, and end."""
    code = 1
    try:
        if request["session"]:
            os.setsid()
        if request["end"]:
            libc.prctl(_PR_SET_PDEATHSIG, request["end"])
            if os.getppid() != server:  # it died before we could ask to be told
                os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if request["umask"] >= 0:
            os.umask(request["umask"])
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["env"])
        with open(os.devnull, "rb") as nothing:  # noqa: PTH123
            os.dup2(nothing.fileno(), 0)
        os.dup2(files[0], 1)
        os.dup2(files[1], 2)
        os.closerange(3, 4096)
        unbuffered = bool(os.environ.get("PYTHONUNBUFFERED"))
        sys.stdout.reconfigure(write_through=unbuffered)  # type: ignore[union-attr]
        sys.argv = list(request["argv"])
        sys.path[0] = request["cwd"]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as ending:
        code = _exit_code(ending)
    except KeyboardInterrupt:
        code = -signal.SIGINT
    except BaseException:
        traceback.print_exc()
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001 - as Python itself ends
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        code = code or 120  # as Python does if the output cannot be written
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


def _exit_code(ending: SystemExit) -> int:
    if ending.code is None:
        return 0
    if isinstance(ending.code, int):
        return ending.code
    print(ending.code, file=sys.stderr)  # noqa: T201
    return 1


def main() -> None:
    """Serve the process that started this one, on the socket whose number it has given."""
    with socket.socket(fileno=int(sys.argv[1])) as client:
        sys.exit(_serve(client))
