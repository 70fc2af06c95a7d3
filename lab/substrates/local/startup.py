"""Brings services up side by side, each as soon as what it needs has answered.

One loop checks all of them: it starts what can start, notices at once what has died, and checks
whether the rest answer. Nothing here knows what a service is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
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


class Rise:
    """The start of one service, up to its first answer."""

    def __init__(
        self,
        service: Service,
        spawner: Spawner,
        logs: Path,
        started: Started,
        again: Launch | None = None,
    ) -> None:
        """Prepare to start `service`.

        Args:
            service: what to start.
            spawner: what starts its processes.
            logs: the folder of its log.
            started: called with every process.
            again: how it was launched before; then it is not configured and prepared once more.
        """
        self.service = service
        self.log = logs / f"{service.name}.log"
        self._spawner = spawner
        self._started = started
        self._launch = again
        self._todo: list[Command] = [again.serve] if again else []
        self._process: Running | None = None
        self._tries = 1
        self._begun: float | None = None
        self._log_from = 0
        self._last: object = "nothing"

    def advance(self) -> bool:
        """Do what can be done now; say whether the service answers.

        Raises:
            SubstrateError: it died, or its time is over.
        """
        if self._begun is None:
            self._begun = time.monotonic()
        if self._launch is None:
            self._launch = self.service.configure()
            self._todo = [*self._launch.prepare, self._launch.serve]
        if self._process is None:
            self._process = self._start(self._launch, self._todo.pop(0))
        status = self._process.ended()
        if status is None and not self._todo and self._answers():
            return True
        if status == 0 and self._todo:
            self._process = None
        elif status is not None:
            self._try_again_or_give_up(status)
        elif time.monotonic() - self._begun > self.service.within_s:
            raise self._failure(
                f"did not answer within {self.service.within_s:g} s; last saw {self._last!r}"
            )
        return False

    def _start(self, launch: Launch, command: Command) -> Running:
        for each in launch.stale:
            each.unlink(missing_ok=True)
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        process = Running(self._spawner.spawn(command, self.log), command)
        self._started(self.service.name, process, launch)
        return process

    def _answers(self) -> bool:
        try:
            self._last = self.service.answers()
        except Exception as error:
            self._last = error
            return False
        return bool(self._last)

    def _try_again_or_give_up(self, status: int) -> None:
        """Another program may take a port between the test and the start: then ask for another."""
        taken = any(sign in self._said().lower() for sign in _PORT_TAKEN)
        if not taken or self._tries >= _PORT_TRIES:
            how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
            raise self._failure(f"{how} while it started")
        self._tries += 1
        self._launch = self._process = None

    def _said(self) -> str:
        """What the newest process has written so far."""
        with self.log.open("rb") as log:
            log.seek(self._log_from)
            return log.read().decode(errors="replace")

    def _failure(self, what: str) -> SubstrateError:
        tail = "\n".join(f"  {line}" for line in self._said().splitlines()[-TAIL_LINES:])
        said = f"its last output:\n{tail}" if tail else "it printed nothing"
        return SubstrateError(f"{self.service.name} {what}; {said}\nlog: {self.log}")


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
    waiting = {rise.service.name: rise for rise in rises}
    # The sum bounds even a chain in which each service waits for the one before.
    within_s = sum(rise.service.within_s for rise in waiting.values()) + 1

    def look() -> bool:
        for name, rise in list(waiting.items()):
            if not waiting.keys() & set(rise.service.needs) and rise.advance():
                del waiting[name]
                up(name, time.monotonic() - begun)
        return not waiting

    try:
        eventually("every service to answer", look, within_s=within_s, every_s=0.03)
    except NotWithin as error:
        raise SubstrateError(f"{', '.join(waiting)} did not come up: {error}") from error
