"""Leads a load: in the one process of Locust that is not told by another what to do.

begin: the observer starts, each sender gets its share   (test_start)
go on: until every share is offered and flushed          (the shape's ticks)
judge: the observer settles and audits; then the budgets (before the shape ends, or test_stop)
"""

from __future__ import annotations

import enum
import logging
import time
from typing import Any

import gevent
from gevent.lock import RLock
from locust.env import Environment
from locust.runners import MasterRunner

from lab.checker.verdict import Verdict
from lab.errors import LabError
from load import options, outcome
from load.committed import Committed
from load.observer import Observer
from load.outcome import Result
from load.requests import COMMIT, fire
from load.users import FLUSH_S
from system.contract.topology import PROCESS_QUEUE

LEAD_S = 2.0
"""From the beginning of a test to the first message that is due: the senders connect meanwhile."""
GRACE_S = 30.0
"""Beyond its load and its flush, a share that says nothing is waited for so long."""
HALT = "load_halt"
"""Sent to every sender when a person stops the load."""
REPORTS_WITHIN_S = 10.0
"""Within this time, statistics of other processes are here."""
log = logging.getLogger("load")


class Phase(enum.Enum):
    """How far a load is."""

    IDLE = enum.auto()
    OFFERING = enum.auto()
    JUDGING = enum.auto()
    OVER = enum.auto()


class Leader:
    """Leads one load after the other; keeps the worst of what they showed as the exit code."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._phase = Phase.IDLE
        self._lock = RLock()  # of judging, which takes its time and happens once
        self._observer: Observer | None = None
        self._follower: gevent.Greenlet | None = None
        self._open: set[int] = set()
        self._until = 0.0

    def senders(self) -> list[str]:
        """The ids of the processes that send."""
        runner: Any = self._environment.runner
        if not isinstance(runner, MasterRunner):
            return [runner.client_id]
        clients = runner.clients
        return sorted(each.id for each in clients.ready + clients.running + clients.spawning)

    def begin(self) -> None:
        """Begin a load; one that cannot begin is over, with exit code 2."""
        self._phase, self._observer = Phase.OFFERING, None
        self._until = time.time() + 600  # of the observer's start; it has bounds of its own
        try:
            self._begin()
        except LabError as error:
            log.error("%s", error)  # noqa: TRY400 - a line says it, a traceback would hide it
            self._note(Verdict.UNKNOWN.exit_code)
            self._phase = Phase.OVER

    def _begin(self) -> None:
        given: Any = self._environment.parsed_options
        self._chosen = options.read(given, self._environment.host)
        # Both say now, in one line, what is missing.
        self._chosen.target.endpoints()
        outcome.budget_of(self._chosen)
        self._places = {client: place for place, client in enumerate(self.senders())}
        self._open = set(self._places.values())
        seconds = self._chosen.profile.lasts_s or 0.0
        observer = Observer(self._chosen.name, seconds, self._chosen.target.words())
        begin = time.time() + LEAD_S
        observer.begin(begin, len(self._places))
        shares = {"folder": str(observer.folder), "series": observer.series, "begin": begin}
        setattr(given, options.SHARES, {**shares, "places": self._places})
        self._until = begin + seconds + FLUSH_S + GRACE_S
        self._committed = Committed(observer.folder, observer.series)
        self._observer = observer
        self._follower = gevent.spawn(self._follow)
        log.info("%s by %s; its record is %s", self._chosen.name, self._chosen.way, observer.folder)

    def share_done(self, place: int) -> None:
        """A sender has offered its share, and knows what became of it."""
        self._open.discard(place)

    def goes_on(self) -> bool:
        """Whether the load, or its audit, still goes on; called once a second."""
        if self._phase is Phase.OFFERING and self._observer is not None:
            gone = {place for client, place in self._places.items() if self._is_gone(client)}
            if self._open <= gone or time.time() > self._until:
                gevent.spawn(self.judge, stopped=False)
        over = self._phase is Phase.OVER
        if over:
            self._phase = Phase.IDLE  # for the next one; Locust's web page can start several
        return not over

    def judge(self, *, stopped: bool) -> None:
        """End a load, settle and judge it; returns at once if that is done, or nothing began.

        Args:
            stopped: by a person, before its time.
        """
        with self._lock:
            if self._phase is not Phase.OFFERING or self._observer is None:
                self._phase = Phase.IDLE if stopped else self._phase
                return
            self._phase = Phase.JUDGING
            try:
                self._note(self._judged(self._observer, stopped=stopped).exit_code)
            except (LabError, OSError) as error:
                log.error("the load cannot be judged: %s", error)  # noqa: TRY400 - as above
                self._note(Verdict.UNKNOWN.exit_code)
            finally:
                # Nobody asks any more whether a load goes on that was stopped.
                self._phase = Phase.IDLE if stopped else Phase.OVER

    def _judged(self, observer: Observer, *, stopped: bool) -> Result:
        if stopped:
            self._halt()
        observer.published()
        verdict, why = observer.finish(stopped=stopped)
        if self._follower is not None:
            self._follower.kill()
        self._take_commits()
        self._wait_for_reports()
        # As Locust writes it; its `serialize_stats` would set every counter back.
        stats = [entry.serialize() for entry in self._environment.stats.entries.values()]
        result = outcome.result(self._chosen, observer.folder, stats, verdict, why)
        outcome.write(result, observer.folder, stats)
        for line in outcome.words(result):
            log.info("%s", line)
        return result

    def _halt(self) -> None:
        runner: Any = self._environment.runner
        if isinstance(runner, MasterRunner):
            runner.send_message(HALT)
            deadline = time.time() + FLUSH_S
            while self._open and time.time() < deadline:
                gevent.sleep(0.1)

    def _is_gone(self, client: str) -> bool:
        runner: Any = self._environment.runner
        return isinstance(runner, MasterRunner) and client not in self.senders()

    def _follow(self) -> None:
        while True:
            self._take_commits()
            gevent.sleep(0.25)

    def _take_commits(self) -> None:
        for ms in self._committed.read_on():
            fire(self._environment, COMMIT, PROCESS_QUEUE, ms)

    def _wait_for_reports(self) -> None:
        """Other processes report every three seconds: wait for their last word."""
        if isinstance(self._environment.runner, MasterRunner):
            gevent.sleep(REPORTS_WITHIN_S / 2)

    def note_if_nothing_ran(self) -> None:
        """Nothing was offered: nothing was shown."""
        if self._environment.process_exit_code is None:
            self._note(Verdict.UNKNOWN.exit_code)

    def _note(self, code: int) -> None:
        """Keep the worst exit code of all loads: a failure is worse than what is not known."""
        before = self._environment.process_exit_code
        codes = {code} if before is None else {code, before}
        self._environment.process_exit_code = 1 if 1 in codes else max(codes)
