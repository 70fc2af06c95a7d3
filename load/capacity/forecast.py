"""What a larger feed costs, what gives first, and what takes its place. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Feed:
    """How much comes.

    Attributes:
        per_s: messages a second at the busiest time that lasts.
        burst: messages that come at once.
        backlog: messages that wait after an outage.
    """

    name: str
    per_s: float
    burst: int
    backlog: int


TODAY = Feed("today", 30 / DAY_S, 404, 1_899)
"""As the feed was seen: some 30 messages a day, 404 rows by one scrape of everything, and 1,899
messages that waited once."""
FEEDS = (
    TODAY,
    Feed("10 times", 10 * TODAY.per_s, 10 * TODAY.burst, 10 * TODAY.backlog),
    Feed("1,000 times", 1000 * TODAY.per_s, 1000 * TODAY.burst, 1000 * TODAY.backlog),
    Feed("national", 100_000 / 60, 100_000, 6_000_000),
)
"""The last one: 100,000 matches a minute, all at once in the worst minute, and an hour away."""


@dataclass(frozen=True, slots=True)
class Part:
    """How far one part of the system can be taken, and by what.

    Attributes:
        role: as processor time is counted.
        alone_cores: how many processors one of it can use at most; None: as many as there are.
        more: what more of it means; empty if more of the same is no help.
        instead: what takes its place where that ends.
    """

    role: str
    alone_cores: float | None
    more: str
    instead: str


PARTS = (
    Part("worker", 1.0, "more worker processes", "more pods of workers, scaled by queue length"),
    Part("worker child", None, "more children or workers", "more pods of workers"),
    Part("api", 1.0, "more API processes behind one address", "more pods of the API"),
    Part("database", None, "a larger machine", "tables partitioned by season, then by league"),
    Part("broker", 1.0, "", "several work queues, their leaders spread over a cluster"),
    Part("results", 1.0, "", "results off, for nobody waits for them (they are off by default)"),
)
"""A worker's main process, an API process (one event loop) and the leader of one queue are each
bound to about one processor."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one part needs for a feed: processors, and how many of it that are."""

    part: Part
    cores: float
    instances: int

    @property
    def strain(self) -> float:
        """How many of it would be busy all the time."""
        return self.cores / (self.part.alone_cores or math.inf)


@dataclass(frozen=True, slots=True)
class Forecast:
    """A feed, and what it takes.

    Attributes:
        cores: processors busy in all while it lasts.
        cpu_s_per_day: seconds of processor time if it lasted all day.
        burst_s, backlog_s: how long they last on the machine that was measured, seconds.
        first: the part that gives first; None while one of each is enough.
    """

    feed: Feed
    cores: float
    cpu_s_per_day: float
    burst_s: float
    backlog_s: float
    needs: tuple[Need, ...]
    first: Part | None


def forecast(feed: Feed, cpu_us: Mapping[str, float], takes_per_s: float) -> Forecast:
    """What a feed takes, by what a message costs each part.

    Args:
        cpu_us: microseconds of processor time per message, by role.
        takes_per_s: what the measured machine takes at most.
    """
    needs = tuple(_need(part, feed.per_s * cpu_us.get(part.role, 0.0) / 1e6) for part in PARTS)
    strained = [need for need in needs if need.instances > 1]
    gains = takes_per_s - feed.per_s
    return Forecast(
        feed,
        sum(need.cores for need in needs),
        DAY_S * feed.per_s * sum(cpu_us.values()) / 1e6,
        feed.burst / takes_per_s,
        feed.backlog / gains if gains > 0 else math.inf,
        needs,
        max(strained, key=lambda need: need.strain).part if strained else None,
    )


def _need(part: Part, cores: float) -> Need:
    room = part.alone_cores or math.inf
    return Need(part, cores, max(1, math.ceil(cores / (USED * room))))


USED = 0.7
"""How busy a processor may be so that messages need not wait long for it."""


def gives_first(cpu_us: Mapping[str, float], cores: int) -> tuple[str, float]:
    """Which bound a growing rate meets first on one machine, and at how many messages a second.

    By the utilisation law: a part that costs `d` seconds per message is fully busy at 1 / d.
    """
    bounds: Sequence[tuple[float, str]] = [
        (cores * 1e6 / sum(cpu_us.values()), f"the {cores} processors of the machine"),
        *(
            (part.alone_cores * 1e6 / cpu_us[part.role], f"one process of the role {part.role!r}")
            for part in PARTS
            if part.alone_cores and cpu_us.get(part.role)
        ),
    ]
    per_s, what = min(bounds)
    return what, per_s
