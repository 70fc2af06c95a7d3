"""How other processes break a lab that is kept: by a private socket of its keeper.

    another process ── one JSON object a line ──> the keeper ── calls ──> the lab

Every connection is a guest of its own. What a guest has broken and not mended is mended when its
connection ends, however that happens; so a caller that is killed leaves no fault behind. Only the
owner of the lab's folder can reach the socket (folder 700, socket 600).
"""

from __future__ import annotations

import inspect
import json
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

from lab.errors import CannotRun, LabError, SubstrateError
from lab.substrates.abilities import (
    Answering,
    Breach,
    ChildKillable,
    Controllable,
    Killable,
    ParentKillable,
    Partitionable,
    Pausable,
    Scalable,
    Watchable,
)
from lab.substrates.answering import Answer
from lab.substrates.local.breaches import Breaches
from lab.substrates.plan import Link, Role
from lab.substrates.provider import Strike

SOCKET = "control.sock"
LINE_BYTES_MAX = 64 * 1024
ANSWER_BYTES_MAX = 16 * 1024 * 1024
ANSWER_WITHIN_S = 300.0
"""A role that is started again may take a minute, a worker that is asked to end as long."""
_BACKLOG = 32
_ADDRESS_BYTES_MAX = 100
"""The kernel's own limit for the path of a socket is 108 bytes (104 on macOS)."""

_ABILITIES = (
    *(Killable, Pausable, Scalable, ChildKillable, ParentKillable),
    *(Controllable, Watchable, Partitionable, Answering),
)
VERBS = frozenset(
    verb for ability in _ABILITIES for verb in vars(ability) if not verb.startswith("_")
)


class Held(Protocol):
    """What a keeper needs of its lab beyond the abilities, of which it may lack some."""

    name: str

    def having(self, role: Role) -> int:
        """How many processes a role has."""
        ...

    def note_breaches(self, breaches: list[Breach]) -> None:
        """Write down which faults are at work, for others."""
        ...


class _Guest(socketserver.StreamRequestHandler):
    """One caller: what it asks for, and the cures that it still owes."""

    server: _Server

    def setup(self) -> None:
        super().setup()
        self._owed: dict[tuple[Any, ...], Callable[[], object]] = {}
        self._faults: set[int] = set()

    def handle(self) -> None:
        with suppress(OSError):  # the caller has gone
            while line := self.rfile.readline(LINE_BYTES_MAX):
                self.wfile.write(json.dumps(self._answer(line)).encode() + b"\n")

    def finish(self) -> None:
        self._mend()
        super().finish()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            asked = json.loads(line)
            return {"done": self._do(asked["do"], asked.get("args", []), asked.get("with", {}))}
        except CannotRun as error:
            return {"cannot": str(error)}
        except LabError as error:
            return {"failed": str(error)}
        except (ValueError, TypeError, KeyError) as error:
            return {"cannot": f"the lab's keeper cannot read this request: {error!r}"}

    def _do(self, verb: str, args: list[Any], given: dict[str, Any]) -> object:
        """Do what is asked for; return the answer."""
        breaches = self.server.breaches
        match verb:
            case "strike":
                return self._begin(str(given["fault"]), dict(given["parameters"]))
            case "cure":
                self._faults.discard(int(given["number"]))
                breaches.cure(int(given["number"]))
                return None
            case "strike_by_hand":
                fault, parameters = str(given["fault"]), dict(given["parameters"])
                return asdict(
                    breaches.strike(fault, parameters, by_hand=True, for_s=given["for_s"])
                )
            case "cure_by_hand":
                return [asdict(each) for each in breaches.cure_by_hand(given["fault"])]
            case "scale_for_good":
                self.server.lab.scale(Role(given["role"]), int(given["count"]))
                return None
        if verb not in VERBS:
            raise CannotRun(f"the lab's keeper does not know {verb!r}")
        lab = self.server.lab
        method = getattr(lab, verb, None)
        if method is None:
            raise CannotRun(f"the substrate {lab.name!r} cannot {verb.replace('_', ' ')}")
        bound = inspect.signature(method).bind(*args, **given)
        for name, kind in (("role", Role), ("link", Link), ("how", Answer)):
            if name in bound.arguments:
                bound.arguments[name] = kind(bound.arguments[name])
        self._owe(verb, **bound.arguments)
        return method(*bound.args, **bound.kwargs)

    def _owe(
        self,
        verb: str,
        role: Any = None,
        index: int = 0,
        link: Any = None,
        job: str = "",
        instance: str = "",
        **_: Any,
    ) -> None:
        """Note the cure before anything is broken: it also cures what is only half done."""
        lab = self.server.lab
        match verb:
            case "kill" | "kill_parent" | "terminate":
                self._owed["process", role, index] = lambda: lab.start(role, index)
            case "pause":
                self._owed["pause", role, index] = lambda: lab.resume(role, index)
            case "cut" | "stall" | "slow" | "half_open" | "answer":
                self._owed["link", link] = lambda: lab.heal(link)
            case "scale":
                before = lab.having(role)
                self._owed.setdefault(("scale", role), lambda: lab.scale(role, before))
            case "watch":
                self._owed["watch", job, instance] = lambda: lab.unwatch(job, instance)
            case "start":
                self._owed.pop(("process", role, index), None)
                self._owed.pop(("pause", role, index), None)
            case "resume":
                self._owed.pop(("pause", role, index), None)
            case "heal":
                self._owed.pop(("link", link), None)

    def _begin(self, fault: str, parameters: dict[str, Any]) -> int:
        number = self.server.breaches.strike(fault, parameters).number
        self._faults.add(number)
        return number

    def _mend(self) -> None:
        """Mend everything that is still broken, the newest first; all of it, even if one fails."""
        with suppress(LabError, OSError), ExitStack() as cures:  # the lab may be going down
            for cure in self._owed.values():
                cures.callback(cure)
            cures.callback(self.server.breaches.cure_all, self._faults)
        self._faults.clear()
        self._owed.clear()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = _BACKLOG

    def __init__(self, address: str, lab: Held, breaches: Breaches) -> None:
        self.lab: Any = lab  # with what verbs it has
        self.breaches = breaches
        super().__init__(address, _Guest)


@contextmanager
def served(folder: Path, lab: Held, strike: Strike) -> Iterator[None]:
    """Let others use the lab for the block, by a socket in the instance's folder.

    Whatever they broke is cured at the end, also what was to last until it is cured.

    Raises:
        CannotRun: the folder's path is too long for a socket, and this system knows no other way.
    """
    mask = os.umask(0o177)
    breaches = Breaches(strike, lab.note_breaches)
    try:
        with _address(folder) as address:
            server = _Server(address, lab, breaches)
    finally:
        os.umask(mask)
    thread = threading.Thread(target=server.serve_forever, name="control", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        breaches.close()
        (folder / SOCKET).unlink(missing_ok=True)


class Client:
    """The caller's side: one connection. Use it from any thread; requests take turns."""

    def __init__(self, folder: Path) -> None:
        """Connect.

        Raises:
            CannotRun: no keeper listens there.
        """
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(ANSWER_WITHIN_S)
        try:
            with _address(folder) as address:
                self._socket.connect(address)
        except OSError as error:
            self._socket.close()
            raise CannotRun(
                f"the lab in {folder} does not answer on its socket: {error.strerror}"
            ) from error
        self._answers = self._socket.makefile("rb")

    def call(self, verb: str, *args: Any, **given: Any) -> Any:
        """Let the keeper do something; return its answer.

        Raises:
            CannotRun: it cannot be done there at all.
            SubstrateError: it failed, or the keeper has gone.
        """
        request = json.dumps({"do": verb, "args": args, "with": given}).encode() + b"\n"
        with self._lock:
            try:
                self._socket.sendall(request)
                line = self._answers.readline(ANSWER_BYTES_MAX)
            except OSError as error:
                raise SubstrateError(f"the lab's keeper did not answer {verb}: {error}") from error
        if not line:
            raise SubstrateError(f"the lab's keeper ended before it answered {verb}")
        answer = json.loads(line)
        if "cannot" in answer:
            raise CannotRun(answer["cannot"])
        if "failed" in answer:
            raise SubstrateError(answer["failed"])
        return answer["done"]

    def close(self) -> None:
        """Leave; what this caller broke and did not mend is mended now."""
        self._answers.close()
        self._socket.close()


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """A path to the socket that is short enough for the kernel."""
    plain = str(folder / SOCKET)
    if len(os.fsencode(plain)) <= _ADDRESS_BYTES_MAX:
        yield plain
        return
    if not Path("/proc/self/fd").is_dir():
        raise CannotRun(f"{plain} is too long for the path of a socket; use a shorter folder")
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{opened}/{SOCKET}"
    finally:
        os.close(opened)
