"""Faults that strike while other work goes on, as a schedule says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lab.errors import LabError, NotWithin
from lab.experiment.lab import Lab
from lab.faults import registry
from lab.faults.schedule import Planned

CURE_S = 120.0
"""A part that is started again may take so long to answer."""


class Timetable:
    """One schedule, by a thread for each fault; see `on_schedule`."""

    def __init__(self, lab: Lab, schedule: Sequence[Planned]) -> None:
        self._lab, self._schedule = lab, schedule
        self._over, self._cut = threading.Event(), threading.Event()
        self._quiet = threading.Condition()
        self._at_work = self._struck = 0
        self._threads = [
            threading.Thread(target=self._follow, args=(each,), name=str(each), daemon=True)
            for each in schedule
        ]

    def begin(self) -> None:
        """The work begins now."""
        self._begun = time.monotonic()
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """The work is done: what has begun lasts its time, what has not will not."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def cut_short(self) -> None:
        """The work has failed: cure at once."""
        self._cut.set()

    @property
    def struck(self) -> int:
        """How many have struck so far."""
        with self._quiet:
            return self._struck

    def rest(self) -> None:
        """Wait until no fault is at work.

        Raises:
            NotWithin: one was not cured in time.
        """
        with self._quiet:
            self._wait_until_quiet()

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Let nothing strike during the block, which is short: what is due then is late.

        For what the lab itself sends, once and directly, and could not send otherwise.

        Raises:
            NotWithin: as `rest` does.
        """
        with self._quiet:
            self._wait_until_quiet()
            yield

    def _wait_until_quiet(self) -> None:
        within_s = sum(each.length_s + CURE_S for each in self._schedule)
        if not self._quiet.wait_for(lambda: self._at_work == 0, timeout=within_s):
            raise NotWithin(f"waited for every fault to be cured: not within {within_s:g} s")

    def settle(self) -> bool:
        """Settle the lab; what is struck meanwhile gives it more time."""
        while True:
            self.rest()
            before = self.struck
            if self._lab.settle():
                return True
            if self.struck == before:
                return False

    def _follow(self, planned: Planned) -> None:
        due = self._begun + planned.begin_s
        if self._over.wait(max(0.0, due - time.monotonic())):
            self._check(planned, "the work was over before")
            return
        with self._quiet:
            self._at_work += 1
            self._struck += 1
        try:
            with self._lab.fault(planned.name, **planned.parameters):
                self._cut.wait(planned.length_s)
        except LabError as error:
            self._check(planned, str(error))
        finally:
            with self._quiet:
                self._at_work -= 1
                self._quiet.notify_all()

    def _check(self, planned: Planned, why: str) -> None:
        """A fault that did not strike has shown nothing."""
        self._lab.check(f"{planned} struck and was cured", ok=None, detail=why)


@contextmanager
def on_schedule(lab: Lab, schedule: Sequence[Planned]) -> Iterator[Timetable]:
    """Strike while the block works. What has not begun by its end makes the verdict unknown.

    Raises:
        CannotRun: a fault is not possible in this lab.
    """
    for each in schedule:
        registry.checked(each.name, lab.substrate, each.parameters)
    timetable = Timetable(lab, schedule)
    timetable.begin()
    try:
        yield timetable
    except BaseException:
        timetable.cut_short()
        raise
    finally:
        timetable.end()
