"""Measures what the capacity is fitted to, and what its predictions are checked against."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import CannotRun
from load.bench import latency
from load.bench.compare.pipeline import Pipeline
from load.bench.compare.turn import Turn, take

FITTED = (1, 2, 4)
"""Numbers of workers that the law is fitted to."""
CHECKED = 3
"""One that it has not seen."""
USUAL = 2
LONGER = 3
"""How many times the backlog of the other turns the one is whose drain time is predicted."""
QUIET_PER_S = 10.0
BUSY_SHARE, LIGHT_SHARE = 0.5, 0.25
LASTS_S = 8.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Point:
    """One backlog, worked off by so many workers.

    Attributes:
        cpu_us: microseconds of processor time per message, by role.
    """

    workers: int
    messages: int
    per_s: float
    cpu_us: dict[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything that was measured, on this machine.

    Attributes:
        points: those that the law is fitted to.
        unseen: one with another number of workers.
        longer: one with a longer backlog.
        alone_ms: the mean latency of few messages a second.
        busy_per_s, busy_ms: a rate, and the mean latency at it, which the queue is fitted to.
        light_per_s, light_ms: a lower rate, which it has not seen.
    """

    sink: str
    cores: int
    points: Sequence[Point]
    unseen: Point
    longer: Point
    alone_ms: float
    busy_per_s: float
    busy_ms: float
    light_per_s: float
    light_ms: float


def measure(sink: str, messages: int, folder: Path, say: Say) -> Measured:
    """Take every turn, each on a lab of its own; some two minutes.

    Args:
        sink: `api` or `database`.
        messages: that wait in each turn.
        folder: where each turn leaves its record.
        say: called with a line for each turn.

    Raises:
        CannotRun: a turn gave no number; it says why.
    """

    def turn(workers: int, count: int) -> Point:
        place = folder / f"{workers}-workers-{count}"
        place.mkdir(parents=True)
        point = _point(workers, take(Pipeline(sink, workers=workers), count, place))
        total = sum(point.cpu_us.values())
        say(f"{workers} workers, {count:,} waiting: {point.per_s:,.0f}/s, {total:,.0f} µs each")
        return point

    def mean_ms(per_s: float) -> float:
        found = statistics.fmean(latency.measure(sink, rate=per_s, seconds=LASTS_S, workers=USUAL))
        say(f"{USUAL} workers, {per_s:,.0f} messages a second: {found:,.1f} ms in the mean")
        return found

    points = [turn(workers, messages) for workers in FITTED]
    unseen = turn(CHECKED, messages)
    longer = turn(USUAL, LONGER * messages)
    usual = next(point for point in points if point.workers == USUAL)
    busy, light = BUSY_SHARE * usual.per_s, LIGHT_SHARE * usual.per_s
    return Measured(
        sink,
        os.cpu_count() or 1,
        points,
        unseen,
        longer,
        mean_ms(QUIET_PER_S),
        busy,
        mean_ms(busy),
        light,
        mean_ms(light),
    )


def _point(workers: int, turn: Turn) -> Point:
    if not turn.per_s:
        raise CannotRun(f"with {workers} workers there is no number: {'; '.join(turn.complaints)}")
    return Point(workers, turn.messages, turn.per_s, turn.cpu_us)
