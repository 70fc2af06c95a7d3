"""Faults that somebody strikes by hand while a run goes on: they belong into its record, too.

A report then shades them, Prometheus has them beside what comes of them, and settling knows what
they may have left waiting.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from lab.errors import LabError
from lab.experiment.lab import Lab
from lab.faults import registry
from lab.substrates.abilities import Breach, HoldsFaults

EVERY_S = 0.25


class Follower:
    """Compares what is struck by hand with what is on record; see `followed`."""

    def __init__(self, lab: Lab, place: HoldsFaults) -> None:
        self._lab, self._place = lab, place
        self._known: dict[int, Breach] = {}
        self._shown: dict[int, ExitStack] = {}

    def look(self) -> None:
        """Record what began and what ended since the last look."""
        now = {each.number: each for each in self._place.breaches() if each.by_hand}
        for number in now.keys() - self._known.keys():
            self._begin(now[number])
        for number in self._known.keys() - now.keys():
            self._end(self._known[number])
        self._known = now

    def _begin(self, breach: Breach) -> None:
        found = registry.find(breach.fault)
        detail = f"by hand; {registry.in_words(found, breach.parameters)}"
        self._lab.history.write("fault", name=breach.fault, phase="begin", detail=detail)
        lasts_s = 0.0 if breach.until is None else breach.until - breach.since
        registry.leave(self._lab, found, lasts_s)
        self._shown[breach.number] = stack = ExitStack()
        stack.enter_context(self._lab.metrics.active(breach.fault))

    def _end(self, breach: Breach) -> None:
        self._shown.pop(breach.number).close()
        registry.leave(self._lab, registry.find(breach.fault), time.time() - breach.since)
        self._lab.history.write("fault", name=breach.fault, phase="end", detail="by hand")


@contextmanager
def followed(lab: Lab) -> Iterator[None]:
    """Record, for the block, every fault that is struck by hand in a lab that is kept."""
    if not isinstance(lab.substrate, HoldsFaults):
        yield
        return
    follower, over = Follower(lab, lab.substrate), threading.Event()

    def work() -> None:
        try:
            follower.look()
            while not over.wait(EVERY_S):
                follower.look()
        except (LabError, OSError, ValueError) as error:
            lab.ledger.doubt(f"faults that are struck by hand could not be followed: {error}")

    thread = threading.Thread(target=work, name="by-hand", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=30)
