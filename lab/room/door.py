"""Keeps the address of a room, and starts the room itself only when somebody opens it.

Nobody pays for a page that nobody looks at. And a room that died comes back when it is asked for.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from lab.errors import LabError
from lab.room.actions import Target
from lab.room.address import LAST_LOOK_S, address, listening, new_token
from lab.substrates import registry

END_WITHIN_S = 20.0
STARTS_MAX = 20
AGAIN_AFTER_S = 2.0
"""At most so often a room is started."""
LOG = "room.log"
PLACE = "control room"


class Door:
    """The address of one room. `opened` gives one."""

    def __init__(self, target: Target, *, read_only: bool) -> None:
        self._target, self._read_only = target, read_only
        self._socket = listening()
        self._token = new_token()
        self._woken, self._wake = os.pipe()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._last = ""
        self._thread = threading.Thread(target=self._keep, name="room", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """What a person opens, token included."""
        return address(self._socket, self._token)

    def end_with(self, run: Path) -> None:
        """Let whoever still looks in the end see the report of this run."""
        self._last = run.name

    def close(self) -> None:
        """End the room, if it was ever opened, and give the address back."""
        os.write(self._wake, b".")
        self._thread.join(LAST_LOOK_S + END_WITHIN_S)
        self._socket.close()
        os.close(self._wake)
        os.close(self._woken)

    def _keep(self) -> None:
        for _ in range(STARTS_MAX):
            ready, _, _ = select.select([self._socket.fileno(), self._woken], [], [])
            if self._woken in ready:
                return
            begun = time.monotonic()
            if self._serve_once():
                return
            left = max(0.0, begun + AGAIN_AFTER_S - time.monotonic())
            if select.select([self._woken], [], [], left)[0]:
                return

    def _serve_once(self) -> bool:
        """Run the room until it ends by itself, or the door is to be closed; say whether so."""
        options = ["--name", self._target.name, "--substrate", self._target.substrate]
        options += ["--read-only"] if self._read_only else []
        number = self._socket.fileno()
        with (
            self._log() as log,
            subprocess.Popen(
                [sys.executable, "-m", "lab", "room", "--held", str(number), *options],
                pass_fds=[number],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for whoever holds the lab
            ) as process,
        ):
            try:
                _say(process, self._token)
                while process.poll() is None:
                    if select.select([self._woken], [], [], 0.5)[0]:
                        if self._last:
                            _say(process, json.dumps({"report": self._last}))
                        return True
                return False
            finally:
                _end(process)

    def _log(self) -> IO[bytes]:
        with suppress(OSError, LabError):
            kept = registry.kept(self._target.name, self._target.substrate)
            if kept is not None and "logs" in kept.places:
                return (Path(kept.places["logs"]) / LOG).open("ab")
        return open(os.devnull, "ab")  # noqa: PTH123 - the caller closes it


@contextmanager
def opened(target: Target, *, read_only: bool = False) -> Iterator[Door]:
    """A room for the block; its address is good at once.

    Raises:
        OSError: this machine has no free port.
    """
    door = Door(target, read_only=read_only)
    try:
        yield door
    finally:
        door.close()


def _say(process: subprocess.Popen[bytes], line: str) -> None:
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with suppress(OSError):  # it has just died
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let it end: what it is told ends. It may still hand over a report meanwhile."""
    assert process.stdin is not None  # noqa: S101 - it was asked for
    with suppress(OSError):
        process.stdin.close()
    try:
        process.wait(LAST_LOOK_S + END_WITHIN_S / 2)
    except subprocess.TimeoutExpired:
        process.kill()
