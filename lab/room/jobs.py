"""Runs what is done in the control room: `lab` commands as child processes, and what they print."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from lab.errors import CannotRun
from lab.paths import fresh_path
from lab.room.actions import Command

JOBS_MAX = 12
"""So many are remembered; the oldest that have ended go first."""
RUNNING_MAX = 6
LINES_MAX = 300
LINE_MAX = 240
END_WITHIN_S = 10.0
COLUMNS = "100"
_RUN = re.compile(r"\.runs[/\\]([0-9]{8}T[0-9]{6}-[a-z0-9-]+)[/\\]verdict\.json")

Changed = Callable[[], None]


@dataclass
class Job:
    """A command that was given, and what came of it.

    Attributes:
        began, ended: seconds since the epoch.
        code: its exit code; None while it runs.
        run: the name of the folder that it left in `.runs/`, once it has a verdict there.
        stopping: it was asked to come to its end.
    """

    number: int
    command: Command
    began: float = field(default_factory=time.time)
    ended: float | None = None
    code: int | None = None
    run: str | None = None
    stopping: bool = False
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_MAX))

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.code is None

    def took_in(self, line: str) -> None:
        """Keep a line of what it printed."""
        shown = plain(line)
        self.lines.append(shown)
        if found := _RUN.search(shown):
            self.run = found[1]


class Jobs:
    """The commands of one room. Belongs to the thread of its event loop."""

    def __init__(self, changed: Changed) -> None:
        """Prepare; `changed` is called whenever there is something new to show."""
        self._changed = changed
        self._jobs: list[Job] = []
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._last = 0

    def newest_first(self) -> list[Job]:
        """Every job that is remembered."""
        return self._jobs[::-1]

    async def start(self, command: Command) -> Job:
        """Run a command, and return at once.

        Raises:
            CannotRun: too much runs already.
        """
        running = [job for job in self._jobs if job.running]
        if len(running) >= RUNNING_MAX:
            raise CannotRun(f"{len(running)} commands run already; wait until one has ended")
        if command.works and (busy := [job for job in running if job.command.works]):
            raise CannotRun(
                f"`{busy[0].command}` runs already, and accounts for every message; "
                "stop it first, or wait until it has judged"
            )
        self._last += 1
        job = Job(self._last, command)
        self._jobs.append(job)
        self._forget()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lab", *command.words),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment(os.environ),
            start_new_session=True,
        )
        self._processes[job.number] = process
        task = asyncio.create_task(self._follow(job, process))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._changed()
        return job

    def stop(self, number: int) -> None:
        """Ask a command to come to its end, as Ctrl-C does; nothing happens if it has ended.

        Raises:
            CannotRun: there is no such command.
        """
        job = next((job for job in self._jobs if job.number == number), None)
        if job is None:
            raise CannotRun(f"no command has the number {number}")
        if job.running and number in self._processes:
            job.stopping = True
            _send(self._processes[number], signal.SIGINT)
            self._changed()

    async def close(self) -> None:
        """End all of them; what does not end in time is killed."""
        for process in self._processes.values():
            _send(process, signal.SIGTERM)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=END_WITHIN_S)
        for process in self._processes.values():
            _send(process, signal.SIGKILL, whole_group=True)

    async def _follow(self, job: Job, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        try:
            while line := await _line(process.stdout):
                job.took_in(line)
                self._changed()
        finally:
            job.code = await process.wait()
            job.ended = time.time()
            del self._processes[job.number]
            self._changed()

    def _forget(self) -> None:
        over = [job for job in self._jobs if not job.running]
        for job in over[: max(0, len(self._jobs) - JOBS_MAX)]:
            self._jobs.remove(job)


def plain(line: str) -> str:
    """A line of output without what acts on a terminal, its indentation kept, cut. Pure."""
    shown = "".join(
        char if char.isprintable() else " " for char in line.expandtabs(4).rstrip("\r\n")
    )
    return shown if len(shown) <= LINE_MAX else f"{shown[: LINE_MAX - 1]}…"


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """What a command is given: ours, and how wide and plain its output is to be.

    Its hints are read in the browser, so they are written for a shell that was opened just now.
    """
    shown = {"COLUMNS": COLUMNS, "NO_COLOR": "1", "TERM": "dumb", "PYTHONUNBUFFERED": "1"}
    return {**ours, **shown, "PATH": fresh_path(ours)}


async def _line(output: asyncio.StreamReader) -> str:
    """The next line; empty at the end."""
    try:
        return (await output.readline()).decode("utf-8", "replace")
    except ValueError:  # longer than the reader's bound: that part of it is skipped
        return "…\n"


def _send(
    process: asyncio.subprocess.Process, number: signal.Signals, *, whole_group: bool = False
) -> None:
    with suppress(ProcessLookupError):
        if whole_group:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
