"""One lab on this machine: its folder, its lock, and the record of what it runs.

    .lab/<name>/          mode 700
        lock              locked for as long as the lab lives
        state.json        mode 600: processes, endpoints with their passwords, folders elsewhere
        logs/<role>-<i>.log
        …                 configuration and data of the services

The lock is the kernel's (flock): it opens by itself when the last process of the lab has ended,
however it ended. So a lab whose lock can be taken is dead, and may be swept.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from lab.errors import CannotRun
from lab.paths import lab_command
from lab.substrates.abilities import Breach
from lab.substrates.protocol import Endpoints

BASE = Path(".lab")
STARTING, UP, FAILED = "starting", "up", "failed"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class Process:
    """A running process, as others can find it.

    Attributes:
        name: `<role>-<index>`; also the name of its log.
        started: see `processes.start_time`; with the pid, names the process for good.
        end: the number of the signal that ends it soonest without leaving anything behind.
        ports: where it listens, the main one first.
    """

    name: str
    pid: int
    started: float
    end: int
    ports: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class State:
    """What a lab writes down about itself.

    Attributes:
        phase: `starting`, `up` or `failed`.
        keeper: the pid that ends the lab when it is sent SIGTERM.
        since: when it began, ISO 8601.
        elsewhere: folders outside the instance's own, to be removed with it.
        breaches: the faults that are at work.
        places: where something can be found that runs beside it, by its name for people.
        paused: of what runs on a cluster, the parts that were stopped where they are.
        runner: how to reach what runs programs in the lab, if that is not this machine.
        endpoints, plan: where everything answers, and what was asked for; once it is up. Plain
            values, so that another version of the lab, too, can end it.
    """

    phase: str
    keeper: int
    since: str
    processes: list[Process] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    breaches: list[Breach] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    paused: list[str] = field(default_factory=list)
    runner: dict[str, str] = field(default_factory=dict, repr=False)
    endpoints: dict[str, Any] | None = None
    plan: dict[str, Any] | None = None

    def addresses(self) -> Endpoints | None:
        """Where everything answers, once it does."""
        return Endpoints(**self.endpoints) if self.endpoints else None


_STATE = TypeAdapter(State)
_changing = threading.Lock()
"""Held from reading a state to writing it: only one process of a lab writes, by several threads."""


@dataclass(frozen=True, slots=True)
class Instance:
    """The name of a lab and the folder that holds all of it."""

    name: str
    folder: Path

    @classmethod
    def named(cls, name: str, base: Path = BASE) -> Instance:
        """Return the instance `name` below `base`; touches nothing.

        Raises:
            CannotRun: the name does not fit.
        """
        if not _NAME.fullmatch(name):
            raise CannotRun(
                f"{name!r} cannot name a lab: use up to 40 lower-case letters, digits and dashes"
            )
        return cls(name, base.absolute() / name)

    @property
    def logs(self) -> Path:
        """The folder of the log files."""
        return self.folder / "logs"

    @property
    def _state_file(self) -> Path:
        return self.folder / "state.json"

    @contextmanager
    def claimed(self) -> Iterator[None]:
        """Hold the lock for the block; child processes that are forked inside hold it too.

        Raises:
            CannotRun: another living lab has this name.
        """
        held = _lock(self.folder)
        if held is None:
            raise CannotRun(
                f"a lab named {self.name!r} is running here already; end it with "
                f"`{lab_command('down', '--name', self.name)}` or use another --name"
            )
        try:
            yield
        finally:
            os.close(held)

    def is_alive(self) -> bool:
        """Whether a process of this lab still holds the lock."""
        if not (self.folder / "lock").exists():
            return False
        held = _lock(self.folder)
        if held is not None:
            os.close(held)
        return held is None

    def begin(self) -> None:
        """Clear what an ended lab of this name has left, and write the first state."""
        for each in self.folder.iterdir():
            if each.name != "lock":
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        self.logs.mkdir(mode=0o700)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.write(State(phase=STARTING, keeper=os.getpid(), since=now))

    def read(self) -> State | None:
        """Return the newest state, or None if there is none."""
        with suppress(FileNotFoundError):
            return _STATE.validate_json(self._state_file.read_bytes())
        return None

    def read_up(self) -> tuple[State, Endpoints]:
        """Return the state of a lab that is up, and where it answers.

        Raises:
            CannotRun: it is not up.
        """
        state = self.read()
        ends = state.addresses() if state else None
        if state is None or ends is None or state.phase != UP or not self.is_alive():
            hint = lab_command("up", *([] if self.name == "default" else ["--name", self.name]))
            raise CannotRun(f"no lab named {self.name!r} is up here; start it with `{hint}`")
        return state, ends

    def write(self, state: State) -> None:
        """Replace the state in one step, readable by its owner only."""
        draft = self._state_file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(_STATE.dump_json(state))
        draft.replace(self._state_file)

    def change(self, **changes: Any) -> None:
        """Rewrite the state with some attributes changed."""
        with _changing:
            state = self.read()
            if state is not None:
                self.write(replace(state, **changes))

    def erase(self, *, keep_logs: bool) -> None:
        """Remove the folder, or all but its logs. Only for the holder of the lock."""
        for each in self.folder.iterdir() if self.folder.exists() else ():
            if each.name == "lock" or (keep_logs and each == self.logs):
                continue
            shutil.rmtree(each, ignore_errors=True) if each.is_dir() else each.unlink()
        with suppress(FileNotFoundError):
            (self.folder / "lock").unlink()
        with suppress(OSError):  # it still holds logs; or other labs live beside it
            self.folder.rmdir()
            self.folder.parent.rmdir()


def instances(base: Path = BASE) -> list[Instance]:
    """Every instance that has a lock or a state below `base`, living or dead."""
    folders = sorted(base.absolute().glob("*")) if base.is_dir() else []
    return [
        Instance(each.name, each)
        for each in folders
        if (each / "lock").exists() or (each / "state.json").exists()
    ]


def when_dead(instance: Instance, action: Callable[[], None]) -> bool:
    """Run `action` under the lock of an instance whose processes have ended; say whether it was."""
    if not instance.folder.exists():
        return False
    held = _lock(instance.folder)
    if held is None:
        return False
    try:
        action()
    finally:
        os.close(held)
    return True


def _lock(folder: Path) -> int | None:
    """Return a descriptor that holds the folder's lock, or None if another process holds it."""
    while True:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            opened = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue  # the lab that ended has just removed the folder
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            return None
        # The file may be gone since it was opened: then its lock is worthless.
        with suppress(FileNotFoundError):
            if os.stat(folder / "lock").st_ino == os.fstat(opened).st_ino:  # noqa: PTH116
                return opened
        os.close(opened)
