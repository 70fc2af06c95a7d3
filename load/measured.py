"""What a load has shown, as numbers: from Locust's statistics and from the run's history. Pure."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab.history.log import Event
from system.contract.topology import PROCESS_QUEUE

FOLLOWS_WITHIN_S = 10.0
"""So long after a change of the workers the throughput may take to follow it."""
KEEPS_UP = 0.95
"""A throughput of this share of what is offered cannot rise, however many workers there are."""


def percentile(response_times: Mapping[Any, int], share: float) -> float | None:
    """A percentile from Locust's JSON, whose `response_times` has counts by milliseconds.

    By nearest rank, as Locust shows it: the smallest value that `share` of them do not exceed.
    None without a request.
    """
    wanted = math.ceil(share * sum(response_times.values()))
    seen = 0
    for ms, count in sorted((float(ms), count) for ms, count in response_times.items()):
        seen += count
        if count and seen >= wanted:
            return ms
    return None


def requests(stats: Sequence[Mapping[str, Any]], *kinds: str) -> dict[str, float | None]:
    """What Locust's JSON says of some types of requests; without any, times are None."""
    found = [each for each in stats if each["method"] in kinds]
    count = sum(each["num_requests"] for each in found)
    times: dict[float, int] = {}
    for each in found:
        for ms, so_many in each["response_times"].items():
            times[float(ms)] = times.get(float(ms), 0) + so_many
    return {
        "count": count,
        "failures": sum(each["num_failures"] for each in found),
        "mean": sum(each["total_response_time"] for each in found) / count if count else None,
        "p95": percentile(times, 0.95),
        "p99": percentile(times, 0.99),
    }


@dataclass(slots=True)
class Course:
    """The course of a load, from its history; times are seconds since the epoch.

    Attributes:
        due: when each message was due.
        accepted: how many were accepted.
        commits: when each took effect.
        depth_max: the most messages that were seen waiting; None if nobody looked.
        scaled: when the workers were told to become how many.
    """

    due: list[float] = field(default_factory=list)
    accepted: int = 0
    commits: list[float] = field(default_factory=list)
    depth_max: int | None = None
    scaled: list[tuple[float, int]] = field(default_factory=list)

    @property
    def drain_s(self) -> float | None:
        """From the last message's due time (or the first effect, if later) to the last effect."""
        if not self.due or not self.commits:
            return None
        return max(0.0, self.commits[-1] - max(self.due[-1], self.commits[0]))

    @property
    def throughput_max(self) -> float | None:
        """The most effects a second over five seconds."""
        window = 5.0
        if not self.commits:
            return None
        ends = (bisect_left(self.commits, at + window) for at in self.commits)
        return max(end - begin for begin, end in enumerate(ends)) / window

    def rate(self, times: Sequence[float], begin: float, end: float) -> float:
        """How many of `times` were in each second from `begin` to `end`."""
        return (bisect_left(times, end) - bisect_left(times, begin)) / max(end - begin, 1e-9)


def course(events: Iterable[Event]) -> Course:
    """The course of a load.

    Raises:
        HistoryError: the history cannot be read.
    """
    found = Course()
    own: set[str] = set()
    ended: dict[str, float] = {}
    for event in events:
        match event.event:
            case "attempted" if event.text("message_id") not in own:
                own.add(event.text("message_id"))
                found.due.append(_stamp(event.time("published_at")))
            case "accepted":
                found.accepted += event.text("message_id") in own
            case "receipt":
                ended.setdefault(event.text("message_id"), _stamp(event.time("committed_at")))
            case "depth" if event.text("queue") == PROCESS_QUEUE:
                found.depth_max = max(int(event.number("ready")), found.depth_max or 0)
            case "scaled":
                found.scaled.append((_stamp(event.at), int(event.number("count"))))
    found.commits = sorted(at for message_id, at in ended.items() if message_id in own)
    found.due.sort()
    return found


def follows(seen: Course) -> float | None:
    """How well throughput followed the workers: the least factor by which it changed with them.

    Measured from `FOLLOWS_WITHIN_S` after each change to the next one. Infinite if throughput was
    what was offered anyway; None if the workers did not change while the load ran.
    """
    if not seen.due:
        return None
    begin, end = seen.due[0], seen.due[-1]
    steps = [(at, count) for at, count in seen.scaled if begin < at < end - FOLLOWS_WITHIN_S]
    earlier = [count for at, count in seen.scaled if at <= begin]
    edges = [begin, *(at for at, _ in steps), end]
    factors = []
    workers = earlier[-1] if earlier else None
    for number, (at, count) in enumerate(steps):
        # Before the first change everything counts but the first second; later, what had followed.
        settled = edges[number] + (FOLLOWS_WITHIN_S if number else 1.0)
        before = seen.rate(seen.commits, settled, at)
        since, until = at + FOLLOWS_WITHIN_S, edges[number + 2]
        after, offered = (seen.rate(each, since, until) for each in (seen.commits, seen.due))
        up = workers is None or count > workers
        kept_up = after >= KEEPS_UP * offered
        low, high = (before, after) if up else (after, before)
        factors.append(math.inf if kept_up or not low else high / low)
        workers = count
    return min(factors, default=None)


def _stamp(at: datetime) -> float:
    return at.timestamp()
