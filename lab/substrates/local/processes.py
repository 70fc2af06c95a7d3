"""Starts, watches and ends processes, always together with all their children.

Each service leads a session of its own, so that Ctrl-C in the terminal reaches the lab alone and
the lab ends its services in order. On Linux the kernel also signals a service when the lab dies
without ending it. It does so when the *thread* that started the service ends, so one thread, which
lives as long as the lab, starts them all.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from lab.errors import NotWithin, SubstrateError
from lab.substrates.local.forkserver import Forked, ForkServer
from lab.wait import eventually

Handle = subprocess.Popen[bytes] | Forked
UMASK = 0o077
KILL_GRACE_S = 10.0
"""Even SIGKILL takes a moment: a process in the kernel ends when it comes back."""
_STILL = frozenset("TtZX")
_START_FIELD = 19  # of those after the name in /proc/PID/stat
"""States of a thread, as /proc has them: stopped, traced, ended."""


@dataclass(frozen=True, slots=True)
class Command:
    """A program to run.

    Attributes:
        argv: the program and its arguments. No secrets: every user of the machine can read them.
        env: the whole environment.
        cwd: its working folder.
        user: as which it runs, if not as the user of the lab.
        stdin: what it reads; nothing if empty.
        stop: the signal that makes it end in order, with its data written down.
        end: the signal that ends it soonest without leaving anything behind, if its data is no
            longer needed.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    cwd: Path
    user: str | None = None
    stdin: str = field(default="", repr=False)
    stop: signal.Signals = signal.SIGTERM
    end: signal.Signals = signal.SIGKILL


class Spawner:
    """Starts processes, from one thread that lives until `close`."""

    def __init__(self, forks: ForkServer | None = None) -> None:
        """Prepare; starts nothing.

        Args:
            forks: starts the programs that it takes.
        """
        self._forks = forks
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def spawn(self, command: Command, log: Path) -> Handle:
        """Start `command`; its output is added to `log`.

        Raises:
            SubstrateError: the program could not be started.
        """
        forks = self._forks
        if forks and not (command.user or command.stdin) and forks.takes(command.argv, command.env):
            with log.open("ab") as out:
                return forks.popen(
                    command.argv,
                    env=command.env,
                    cwd=command.cwd,
                    out=out,
                    err=out,
                    umask=UMASK,
                    session=True,
                    end=command.end,
                )
        return self._thread.submit(_spawn, command, log).result()

    def close(self) -> None:
        """End the thread. What still runs is signalled to end."""
        self._thread.shutdown()


def _spawn(command: Command, log: Path) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {}
    if command.user is not None:
        options = {"user": command.user, "group": command.user, "extra_groups": []}
    with log.open("ab") as out:
        try:
            process = subprocess.Popen(
                [*end_with_parent(command.end), *command.argv],
                stdin=subprocess.PIPE if command.stdin else subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=dict(command.env),
                cwd=command.cwd,
                start_new_session=True,
                umask=UMASK,
                **options,
            )
        except OSError as error:
            raise SubstrateError(f"cannot start {command.argv[0]}: {error}") from error
    if process.stdin:
        with process.stdin, contextlib.suppress(BrokenPipeError):
            process.stdin.write(command.stdin.encode())
    return process


def end_with_parent(end: signal.Signals) -> list[str]:
    """A prefix (util-linux) that sends `end` to the program when its parent dies, if available."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", end.name.removeprefix("SIG"), "--"] if setpriv else []


def tree(pid: int) -> list[psutil.Process]:
    """The process and everything below it, parents first; empty if it has ended.

    Children that outlived their parent are found by its session.
    """
    found: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        for each in (leader, *leader.children(recursive=True)):
            found[each.pid] = each
    for each in psutil.process_iter():
        with contextlib.suppress(OSError):
            if each.pid not in found and os.getsid(each.pid) == pid:
                found[each.pid] = each
    return [each for each in found.values() if is_alive(each)]


def children(pid: int) -> list[psutil.Process]:
    """The living processes right below `pid`, oldest first; empty if it has ended."""
    try:
        found = psutil.Process(pid).children()
    except psutil.NoSuchProcess:
        return []
    return [each for each in found if is_alive(each)]


def resident_bytes(pid: int) -> int:
    """Memory of a process and everything below it; 0 if it has ended."""
    used = 0
    for process in tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            used += int(process.memory_info().rss)
    return used


def is_alive(process: psutil.Process) -> bool:
    """Whether the process has not ended; one that only waits to be reaped has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def send(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to each; those that have ended are skipped."""
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(number)


def kill_tree(pid: int) -> None:
    """SIGKILL the process and everything below it; return when all of it has ended.

    Raises:
        SubstrateError: something survived `KILL_GRACE_S`.
    """

    def look() -> bool:
        living = tree(pid)
        send(living, signal.SIGKILL)  # again at each look: one may have started another meanwhile
        return not living

    try:
        eventually(f"the processes below {pid} to end", look, within_s=KILL_GRACE_S, every_s=0.01)
    except NotWithin as error:
        raise SubstrateError(f"{error}; they survive SIGKILL") from error


class Running:
    """One started process of a service."""

    def __init__(self, process: Handle, command: Command) -> None:
        self.pid = process.pid
        self.command = command
        self.started = _start_time(process.pid)
        self.paused = False
        self._process = process

    def ended(self) -> int | None:
        """Return the exit status once the process has ended; negative for a signal."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended; wake it up if it is paused."""
        if self.ended() is None:
            self.resume()
            self._process.send_signal(number)

    def terminate(self) -> None:
        """Ask the process to end in order."""
        self.send(self.command.stop)

    def wait(self, within_s: float) -> bool:
        """Whether the process ended within that time."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """SIGKILL for the whole tree; return when it has ended."""
        kill_tree(self.pid)
        self.wait(KILL_GRACE_S)

    def kill_alone(self) -> None:
        """SIGKILL for the process, and for none of its children; return when it has ended."""
        self.send(signal.SIGKILL)
        self.wait(KILL_GRACE_S)

    def pause(self) -> None:
        """SIGSTOP for the whole tree, the parent first so that it starts no more children."""
        self.paused = True
        send(tree(self.pid), signal.SIGSTOP)
        send(tree(self.pid), signal.SIGSTOP)
        # The signal is sent when kill() returns, and not yet obeyed: a thread that runs goes on for
        # a moment, and a broker answered ten messages in it.
        eventually(
            f"the processes below {self.pid} to stand still",
            lambda: all(map(stands_still, tree(self.pid))),
            within_s=KILL_GRACE_S,
            every_s=0.005,
        )

    def resume(self) -> None:
        """SIGCONT for the whole tree."""
        if self.paused:
            send(tree(self.pid), signal.SIGCONT)
            self.paused = False


def stands_still(process: psutil.Process) -> bool:
    """Whether no thread of a process runs any more; one that has ended does not."""
    tasks = Path(f"/proc/{process.pid}/task")  # psutil tells the state of the first thread only
    try:
        if not tasks.is_dir():
            return process.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)
        stats = [(each / "stat").read_text("ascii", "replace") for each in tasks.iterdir()]
    except psutil.NoSuchProcess:
        return True
    except OSError:  # a thread that ended meanwhile
        return False
    return all(stat.rpartition(")")[2].split()[0] in _STILL for stat in stats)


def start_time(pid: int) -> float:
    """When a process started; with the pid, that names it for good, as pids are used again.

    In seconds since the machine started, if the system says that: the time of day is set while a
    lab runs, and a process would no longer be itself. Else since the epoch.

    Raises:
        psutil.NoSuchProcess: there is none.
    """
    if not Path("/proc/stat").is_file():
        return psutil.Process(pid).create_time()
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError as error:
        raise psutil.NoSuchProcess(pid) from error
    return int(stat.rpartition(")")[2].split()[_START_FIELD]) / os.sysconf("SC_CLK_TCK")


def _start_time(pid: int) -> float:
    try:
        return start_time(pid)
    except psutil.NoSuchProcess:
        return 0.0
