"""The data of the plots: every message, gathered into a bounded number of rows.

A page stays small and fast with any number of messages: counts and percentiles are taken over all
of them, for each bin; only single points are sampled, evenly, and the page says so. Times are
seconds since the first message was published or anything else was recorded.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from statistics import fmean
from typing import Any

from lab.checker.measures import Passage, nearest_rank
from lab.checker.outcomes import Outcome
from lab.checker.records import Depth, Fault
from system.contract.topology import PROCESS_QUEUE

BINS = 60
POINTS_MAX = 1500
QUEUES_MAX = 6
FAULTS_MAX = 50
BINS_PER_DECADE = 8
LATENCY_MS_MIN = 0.1

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RunClock:
    """Converts moments into seconds of the run, and those into bins."""

    begun: datetime
    seconds: float

    @property
    def bin_s(self) -> float:
        """The length of one bin, in seconds."""
        return self.seconds / BINS

    def of(self, moment: datetime) -> float:
        """Seconds since the beginning of the run, within its bounds."""
        return min(max(0.0, (moment - self.begun).total_seconds()), self.seconds)

    def bin(self, moment: datetime) -> int:
        """The bin that a moment falls into, from 0."""
        return min(BINS - 1, int(self.of(moment) / self.bin_s))

    def edges(self, number: int) -> dict[str, float]:
        """The first and last second of a bin."""
        return {"from": round(number * self.bin_s, 4), "to": round((number + 1) * self.bin_s, 4)}


def clock(ways: Iterable[Passage], depths: Iterable[Depth], faults: Iterable[Fault]) -> RunClock:
    """The clock that covers everything to draw; at least one second."""
    moments = [way.published_at for way in ways]
    moments += [depth.at for depth in depths]
    for fault in faults:
        moments += [fault.begun, fault.to or fault.begun]
    begun = min(moments, default=datetime.min.replace(tzinfo=UTC))
    until = max(moments, default=begun)
    return RunClock(begun, max(1.0, (until - begun).total_seconds()))


def by_outcome(ways: Iterable[Passage], time: RunClock) -> Rows:
    """Messages published in each bin, by outcome, stacked from `bottom` to `top`."""
    counts = Counter((time.bin(way.published_at), way.outcome) for way in ways)
    height: Counter[int] = Counter()
    rows = []
    for outcome in Outcome:  # each stands on those before it
        for number in range(BINS):
            if count := counts[number, outcome]:
                bottom = height[number]
                height[number] += count
                rows.append(
                    {
                        **time.edges(number),
                        "outcome": outcome.value,
                        "messages": count,
                        "bottom": bottom,
                        "top": bottom + count,
                    }
                )
    return rows


def _ended(ways: Iterable[Passage]) -> Iterator[tuple[datetime, float]]:
    """When each message that ended was published, and its latency as it is drawn."""
    for way in ways:
        if (ms := way.latency_ms) is not None:
            yield way.published_at, max(ms, LATENCY_MS_MIN)


def latency_bins(ways: Iterable[Passage]) -> Rows:
    """Every message that ended, by its latency, in bins of equal width on a log scale."""
    counts: Counter[int] = Counter()
    for _, ms in _ended(ways):
        counts[math.floor(math.log10(ms) * BINS_PER_DECADE)] += 1
    return [
        {
            "from": round(10 ** (step / BINS_PER_DECADE), 5),
            "to": round(10 ** ((step + 1) / BINS_PER_DECADE), 5),
            "messages": count,
            "bottom": 0,
        }
        for step, count in sorted(counts.items())
    ]


_BANDS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean": fmean,
    "p50": partial(nearest_rank, share=0.5),
    "p99": partial(nearest_rank, share=0.99),
}


def latency_bands(ways: Iterable[Passage], time: RunClock) -> Rows:
    """Mean, p50 and p99 of the messages published in each bin, over all of them."""
    bins: dict[int, list[float]] = defaultdict(list)
    for at, ms in _ended(ways):
        bins[time.bin(at)].append(ms)
    return [
        {
            "at": round((number + 0.5) * time.bin_s, 4),
            "percentile": name,
            "ms": round(of(sorted(bins[number])), 3),
        }
        for number in sorted(bins)
        for name, of in _BANDS.items()
    ]


def latency_points(ways: Iterable[Passage], time: RunClock) -> tuple[Rows, int]:
    """Single messages, at most `POINTS_MAX`: every n-th in order of publishing. Also gives n."""
    ended = sorted(_ended(ways))
    every = max(1, math.ceil(len(ended) / POINTS_MAX))
    rows = [{"at": round(time.of(at), 3), "ms": round(ms, 3)} for at, ms in ended[::every]]
    return rows, every


def queue_depths(depths: Sequence[Depth], time: RunClock) -> tuple[Rows, int]:
    """The greatest depth of each queue in each bin; and the number of queues left out.

    Queues in which nothing ever waited are left out, but for the one that matches go by; if more
    than `QUEUES_MAX` are left, only the deepest ones are drawn.
    """
    deepest: dict[str, float] = defaultdict(float)
    bins: dict[tuple[str, int], float] = defaultdict(float)
    for depth in depths:
        deepest[depth.queue] = max(deepest[depth.queue], depth.ready)
        key = depth.queue, time.bin(depth.at)
        bins[key] = max(bins[key], depth.ready)
    used = [queue for queue in deepest if deepest[queue] or queue == PROCESS_QUEUE]
    drawn = set(sorted(used, key=lambda queue: (-deepest[queue], queue))[:QUEUES_MAX])
    rows = [
        {"at": round((number + 0.5) * time.bin_s, 4), "queue": queue, "ready": ready}
        for (queue, number), ready in sorted(bins.items())
        if queue in drawn
    ]
    return rows, len(deepest) - len(drawn)


def fault_windows(faults: Sequence[Fault], time: RunClock) -> Rows:
    """The time spans of the faults; one that did not end lasts to the run's end. At most 50."""
    return [
        {
            "name": fault.name,
            "from": round(time.of(fault.begun), 3),
            "to": round(time.seconds if fault.to is None else time.of(fault.to), 3),
        }
        for fault in faults[:FAULTS_MAX]
    ]
