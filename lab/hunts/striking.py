"""Strikes a schedule: every fault in a thread of its own, at its time, so that they overlap.

Two faults of one part wait for each other even where the schedule lets them: a cure may take longer
than was planned, as the start of a broker does.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from lab.errors import LabError
from lab.experiment.lab import Lab
from lab.faults import registry
from lab.faults.drawing import exclude
from lab.faults.residue import Leaves
from lab.faults.schedule import Planned
from lab.wait import run_for, stopwatch

TURN_S = 240.0
"""A fault that has waited for so long for its part is not struck."""


class Turns:
    """Lets one fault at a time have a part; see `lab.faults.drawing.exclude`."""

    def __init__(self) -> None:
        self._taken: list[str] = []
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, part: str) -> Iterator[None]:
        """Have a part for the block.

        Raises:
            LabError: others had it for too long.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_free(part), TURN_S):
                raise LabError(f"{part} was broken by another fault for {TURN_S:g} s")
            self._taken.append(part)
        try:
            yield
        finally:
            with self._changed:
                self._taken.remove(part)
                self._changed.notify_all()

    def _is_free(self, part: str) -> bool:
        return not any(exclude(part, other) for other in self._taken)


def strike(lab: Lab, schedule: Sequence[Planned]) -> None:
    """Strike every fault of a schedule; return when all of them are cured.

    A fault that could not be struck or cured leaves the verdict unknown, and hinders no other.
    """
    turns, over = Turns(), threading.Event()
    with stopwatch() as seconds, ThreadPoolExecutor(max(len(schedule), 1)) as threads:

        def watch() -> None:
            if over.is_set():
                raise LabError("the hunt was interrupted")

        def one(planned: Planned) -> None:
            with lab.checking(f"{planned} was struck and cured"):
                run_for(planned.begin_s - seconds(), watch)
                with turns.taken(planned.part), lab.fault(planned.name, **planned.parameters):
                    run_for(planned.length_s, watch)

        try:
            for done in [threads.submit(one, planned) for planned in schedule]:
                done.result()
        finally:
            over.set()
        # Faults that follow each other are one long outage to a message that waits for a retry.
        left = Leaves.NOTHING
        for planned in schedule:
            left |= registry.find(planned.name).leaves
        lab.residue = lab.residue.after(left, seconds())
