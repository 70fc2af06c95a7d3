"""Profiles: at what rate a load comes, as data that the lab's own generator and Locust share.

When each message is due is drawn beforehand, from a seed. So a load can be offered again, and it
can be shared out among any number of senders without becoming another one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lab.errors import CannotRun


@dataclass(frozen=True, slots=True)
class Profile:
    """How a load comes.

    Attributes:
        phases: (seconds, messages a second), one after the other, repeated without end.
        at_once: messages that are all due at the very beginning.
        lasts_s: nothing is due after this many seconds; None: it has no end.
        matches: so many matches are observed again and again.
        held: the workers are away until every message is published, so that all of them wait.
        workers: (after seconds, worker processes), for loads during which workers come and go.
        saturates: it is more than the system can take at the time, so messages must be late.
    """

    summary: str
    phases: tuple[tuple[float, float], ...] = ()
    at_once: int = 0
    lasts_s: float | None = None
    matches: int = 200
    held: bool = False
    workers: tuple[tuple[float, int], ...] = ()
    saturates: bool = False

    def __post_init__(self) -> None:
        if not any(per_s > 0 for _, per_s in self.phases) and self.lasts_s is None:
            raise ValueError("a profile without rates needs an end")

    def lasting(self, seconds: float) -> Profile:
        """The same, but over after so many seconds at the latest."""
        return replace(self, lasts_s=min(seconds, self.lasts_s or math.inf))


PROFILES = {
    "steady": Profile("50 a second, as on a match day", ((10.0, 50.0),)),
    "pages": Profile("300 a second for a second, then 5: pages come at once", ((1, 300.0), (4, 5))),
    "trickle": Profile("2 a second, as at night", ((10.0, 2.0),)),
    "baseline": Profile("50 a second for a minute", ((10.0, 50.0),), lasts_s=60),
    "ten-times": Profile("500 a second for five minutes", ((10.0, 500.0),), lasts_s=300),
    "burst": Profile(
        "4,040 at once, ten times a scrape of everything", at_once=4040, lasts_s=15, matches=4040
    ),
    "backlog": Profile(
        "19,000 wait before the workers come, ten times the longest queue that was seen",
        at_once=19_000,
        lasts_s=30,
        matches=10_000,
        held=True,
        saturates=True,
    ),
    "spike": Profile(
        "50 a second, 500 for ten seconds, then 50 again", ((20, 50), (10, 500), (30, 50)), 0, 60
    ),
    "soak": Profile("200 a second for ten minutes", ((10.0, 200.0),), lasts_s=600),
    "ramp": Profile(
        "100 a second, twice as many each ten seconds, up to 3,200",
        tuple((10.0, 100.0 * 2**step) for step in range(6)),
        lasts_s=60,
        matches=2000,
        saturates=True,
    ),
    "scale": Profile(
        "600 a second, while there are 1, 4 and 1 workers for 20 s each",
        ((10.0, 600.0),),
        lasts_s=60,
        matches=2000,
        workers=((0, 1), (20, 4), (40, 1)),
        saturates=True,
    ),
}


def find(name: str) -> Profile:
    """The profile of this name.

    Raises:
        CannotRun: there is none.
    """
    if name not in PROFILES:
        raise CannotRun(f"there is no load {name!r}; there are: {', '.join(PROFILES)}")
    return PROFILES[name]


def arrivals(profile: Profile, rng: random.Random) -> Iterator[float]:
    """When each message is due, in seconds from the beginning: a Poisson process. Pure."""
    end = math.inf if profile.lasts_s is None else profile.lasts_s
    for _ in range(profile.at_once):
        yield 0.0
    phase_begins = 0.0
    while profile.phases and phase_begins < end:
        for lasts_s, per_s in profile.phases:
            due = phase_begins + (rng.expovariate(per_s) if per_s else math.inf)
            while due < min(phase_begins + lasts_s, end):
                yield due
                due += rng.expovariate(per_s)
            phase_begins += lasts_s


def planned(profile: Profile, series: str) -> int:
    """How many messages a load has in all, if it has an end. Pure."""
    if profile.lasts_s is None:
        raise ValueError("this load has no end")
    return sum(1 for _ in arrivals(profile, random.Random(series)))
