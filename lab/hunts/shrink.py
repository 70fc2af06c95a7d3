"""Makes a schedule that fails smaller, as long as it still fails: first fewer faults, then shorter.

Delta debugging (Zeller and Hildebrandt, 2002) over the faults, then halving of their times. Pure
but for the question whether a schedule fails, each answer to which costs a whole round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

from lab.faults.drawing import ordered
from lab.faults.schedule import Planned, write

SHORTEST_S = 0.5
"""A shorter fault may be over before it is noticed."""

Schedule = tuple[Planned, ...]
Fails = Callable[[Schedule], bool | None]
"""Whether a schedule fails; None: no more can be tried."""


class _NoMore(Exception):  # noqa: N818
    """The tries are used up."""


def shrink(schedule: Schedule, fails: Fails) -> Schedule:
    """The smallest schedule found that fails, if `schedule` does. Asks for none of them twice."""
    smallest = schedule
    known = {write(schedule): True}

    def still(candidate: Schedule) -> bool:
        nonlocal smallest
        written = write(candidate)
        if written not in known:
            answer = fails(candidate)
            if answer is None:
                raise _NoMore
            known[written] = answer
        if known[written]:
            smallest = candidate
        return known[written]

    with suppress(_NoMore):  # what was found so far is smaller all the same
        _shorten(_fewer(schedule, still), still)
    return smallest


def _fewer(schedule: Schedule, still: Callable[[Schedule], bool]) -> Schedule:
    """Without any fault that is not needed; every single one of the rest is, on its own."""
    pieces = 2
    while len(schedule) > 1:
        chunks = list(_chunks(schedule, min(pieces, len(schedule))))
        rests = [tuple(each for each in schedule if each not in chunk) for chunk in chunks]
        found = next((each for each in [*chunks, *rests] if each and still(each)), None)
        if found is not None:
            pieces = 2 if found in chunks else max(pieces - 1, 2)
            schedule = found
        elif pieces >= len(schedule):
            break
        else:
            pieces *= 2
    return schedule


def _shorten(schedule: Schedule, still: Callable[[Schedule], bool]) -> Schedule:
    """Earlier, and each fault shorter by halves."""
    begins = min(each.begin_s for each in schedule)
    earlier = ordered(replace(each, begin_s=round(each.begin_s - begins, 3)) for each in schedule)
    if begins and still(earlier):
        schedule = earlier
    for index in range(len(schedule)):
        while (half := round(schedule[index].length_s / 2, 1)) >= SHORTEST_S:
            candidate = list(schedule)
            candidate[index] = replace(candidate[index], length_s=half)
            if not still(tuple(candidate)):
                break
            schedule = tuple(candidate)
    return schedule


def _chunks(schedule: Schedule, pieces: int) -> Iterator[Schedule]:
    size, rest = divmod(len(schedule), pieces)
    begin = 0
    for number in range(pieces):
        end = begin + size + (number < rest)
        yield schedule[begin:end]
        begin = end
