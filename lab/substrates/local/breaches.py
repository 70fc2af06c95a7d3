"""The faults that are at work in a lab that is kept: who asked for each, and how long it lasts.

The keeper breaks the lab on behalf of others. What a program asked for ends with that program;
what was asked for by hand is held until its time is over, somebody cures it, or the lab ends.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from lab.errors import CannotRun, LabError
from lab.substrates.abilities import Breach
from lab.substrates.provider import Strike

FOR_S_MAX = 24 * 3600.0


@dataclass
class _Entry:
    """One breach, and its cure; the lock is held while it is struck or cured."""

    breach: Breach
    cure: ExitStack = field(default_factory=ExitStack)
    lock: threading.Lock = field(default_factory=threading.Lock)
    timer: threading.Timer | None = None


class Breaches:
    """Strikes and cures. Use from any thread; different faults do not wait for each other.

    Args:
        strike: breaks the lab.
        note: called with everything that is at work, whenever that changes.
    """

    def __init__(
        self, strike: Strike, note: Callable[[list[Breach]], None] = lambda _: None
    ) -> None:
        self._strike, self._note = strike, note
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()  # of the table, and never held while something is struck
        self._noting = threading.Lock()  # so that what is noted last is the newest
        self._entries: dict[int, _Entry] = {}
        self._closed = False

    def at_work(self) -> list[Breach]:
        """Everything, in the order of its begin."""
        with self._lock:
            return [entry.breach for entry in self._entries.values()]

    def strike(
        self,
        fault: str,
        parameters: Mapping[str, Any],
        *,
        by_hand: bool = False,
        for_s: float | None = None,
    ) -> Breach:
        """Break the lab, and keep the cure.

        Raises:
            CannotRun: the fault is not possible, or is at work already, or the lab ends.
            SubstrateError: it could not be done, or only half; what was done is cured.
        """
        if for_s is not None and not 0 < for_s <= FOR_S_MAX:
            raise CannotRun(f"a fault lasts more than 0 s and at most a day, not {for_s:g} s")
        shown = {key: str(value) for key, value in parameters.items()}
        entry = self._enter(fault, shown, by_hand, for_s)
        with entry.lock:
            try:
                entry.cure.enter_context(self._strike(fault, parameters))
            except BaseException:
                self._leave(entry)
                raise
            if for_s is not None:
                now = time.time()
                entry.breach = replace(entry.breach, since=now, until=now + for_s)
                entry.timer = threading.Timer(for_s, self._cure_in_time, (entry.breach,))
                entry.timer.daemon = True
                entry.timer.start()
        self._tell()
        return entry.breach

    def cure(self, number: int) -> None:
        """Cure one; does nothing if it was cured already.

        Raises:
            SubstrateError: the cure failed.
        """
        with self._lock:
            entry = self._entries.get(number)
        if entry is None:
            return
        if entry.timer is not None:
            entry.timer.cancel()
        with entry.lock:
            try:
                entry.cure.close()
            finally:
                self._leave(entry)

    def cure_all(self, numbers: Iterable[int]) -> None:
        """Cure several, the newest first, all of them even if one fails.

        Raises:
            SubstrateError: a cure failed.
        """
        with ExitStack() as cures:
            for number in sorted(numbers):
                cures.callback(self.cure, number)

    def cure_by_hand(self, fault: str | None) -> list[Breach]:
        """Cure what is held by hand of one fault, or all of that; return what it was.

        Raises:
            SubstrateError: a cure failed; the others were done.
        """
        chosen = [each for each in self.at_work() if each.by_hand and (fault in (None, each.fault))]
        self.cure_all(each.number for each in chosen)
        return chosen

    def close(self) -> None:
        """The lab ends: cure everything, and take nothing on any more."""
        with self._lock:
            self._closed = True
            numbers = [*self._entries]
        with suppress(LabError):  # what cannot be cured ends with the lab
            self.cure_all(numbers)

    def _enter(
        self, fault: str, parameters: Mapping[str, str], by_hand: bool, for_s: float | None
    ) -> _Entry:
        with self._lock:
            if self._closed:
                raise CannotRun("the lab ends")
            now = [entry.breach for entry in self._entries.values()]
            same = [each for each in now if (each.fault, each.parameters) == (fault, parameters)]
            if by_hand and same:
                who = "by hand" if same[0].by_hand else "by a program that uses this lab"
                raise CannotRun(f"{same[0]} is at work already, struck {who}")
            begin = time.time()
            until = None if for_s is None else begin + for_s
            breach = Breach(next(self._numbers), fault, parameters, begin, until, by_hand)
            entry = self._entries[breach.number] = _Entry(breach)
        self._tell()
        return entry

    def _leave(self, entry: _Entry) -> None:
        with self._lock:
            self._entries.pop(entry.breach.number, None)
        self._tell()

    def _cure_in_time(self, breach: Breach) -> None:
        """Cure one whose time is over; where that fails it stays, until somebody has seen to it."""
        try:
            self.cure(breach.number)
        except LabError as error:  # a timer has nobody to tell, so it stays in the lab's status
            with self._lock:
                if self._closed:
                    return
                failed = replace(breach, until=None, failed=str(error))
                self._entries[breach.number] = _Entry(failed)
            self._tell()

    def _tell(self) -> None:
        with self._noting:
            self._note(self.at_work())
