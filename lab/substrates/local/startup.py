"""Brings services up side by side, each as soon as what it needs has answered.

One loop checks all of them: it starts what can start, notices at once what has died, and checks
whether the rest answer. Nothing here knows what a service is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.errors import NotWithin, SubstrateError
from lab.substrates.local.processes import Command, Running, Spawner
from lab.substrates.local.service import Launch, Service
from lab.wait import eventually

TAIL_LINES = 12
_PORT_TRIES = 4
_PORT_TAKEN = ("address already in use", "eaddrinuse")

Started = Callable[[str, Running, Launch], None]
"""Called with each process at the moment it exists: name, process, how it was launched."""


@dataclass(frozen=True, slots=True)
class Rise:
    """The start of one service, up to its first answer.

    Attributes:
        spawner: what starts its processes.
        logs: the folder of its log.
        started: called with every process.
        again: how it was launched before; then it is not configured and prepared once more.
    """

    service: Service
    spawner: Spawner
    logs: Path
    started: Started
    again: Launch | None = None

    @property
    def log(self) -> Path:
        """The log of its processes."""
        return self.logs / f"{self.service.name}.log"

    def steps(self) -> Iterator[None]:
        """Start it step by step; pauses while it must wait, and ends when the service answers.

        Raises:
            SubstrateError: it died, or its time is over.
        """
        begun = time.monotonic()
        for tries_left in reversed(range(_PORT_TRIES)):
            again = self.again if tries_left == _PORT_TRIES - 1 else None
            launch = again or self.service.configure()
            for command in (launch.serve,) if again else (*launch.prepare, launch.serve):
                before = self.log.stat().st_size if self.log.exists() else 0
                last: object = None
                process = self._start(launch, command)
                while process.ended() is None:
                    if command is launch.serve:
                        last = self._look()
                        if last and not isinstance(last, Exception):
                            return
                    if time.monotonic() - begun > self.service.within_s:
                        what = f"did not answer within {self.service.within_s:g} s"
                        raise self._failure(f"{what}; last saw {last!r}", before)
                    yield
                if code := process.ended() or 0:
                    break
            # Another program may take a port between the test and the start: then ask for another.
            printed = self._printed(before).lower()
            if not (tries_left and any(sign in printed for sign in _PORT_TAKEN)):
                how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
                raise self._failure(f"{how} while it started", before)

    def _start(self, launch: Launch, command: Command) -> Running:
        for each in launch.stale:
            each.unlink(missing_ok=True)
        process = Running(self.spawner.spawn(command, self.log), command)
        self.started(self.service.name, process, launch)
        return process

    def _look(self) -> object:
        try:
            return self.service.answers()
        except Exception as error:
            return error

    def _printed(self, before: int) -> str:
        """What is in the log after the bytes that were there before."""
        with self.log.open("rb") as log:
            log.seek(before)
            return log.read().decode(errors="replace")

    def _failure(self, what: str, before: int) -> SubstrateError:
        lines = self._printed(before).splitlines()[-TAIL_LINES:]
        tail = "\n".join(f"  {line}" for line in lines)
        printed = f"its last output:\n{tail}" if tail else "it printed nothing"
        return SubstrateError(f"{self.service.name} {what}; {printed}\nlog: {self.log}")


def bring_up(
    rises: Iterable[Rise], up: Callable[[str, float], None] = lambda name, seconds: None
) -> None:
    """Start everything and return once every service answers.

    Args:
        rises: what to start.
        up: called as each service answers: its name, seconds since the beginning.

    Raises:
        SubstrateError: a service died or did not answer. What has started goes on running.
    """
    begun = time.monotonic()
    waiting = {rise.service: rise.steps() for rise in rises}
    # The sum bounds even a chain in which each service waits for the one before.
    within_s = sum(service.within_s for service in waiting) + 1

    def look() -> bool:
        for service, steps in list(waiting.items()):
            needed = any(each.name in service.needs for each in waiting)
            if not needed and next(steps, True):
                del waiting[service]
                up(service.name, time.monotonic() - begun)
        return not waiting

    try:
        eventually("every service to answer", look, within_s=within_s, every_s=0.03)
    except NotWithin as error:
        raise SubstrateError(
            f"{', '.join(each.name for each in waiting)} did not come up: {error}"
        ) from error
