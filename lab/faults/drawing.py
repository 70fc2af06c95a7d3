"""Draws schedules of faults at random, by a seed, within bounds. Pure: nothing is broken here."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from lab.faults.api import Wrong
from lab.faults.registry import Fault
from lab.faults.residue import Leaves
from lab.faults.schedule import Planned
from lab.substrates.plan import Link

BETWEEN_S = 1.0
"""A part that was cured is left alone for so long: it has to come back first."""
SELDOM = 0.2
"""How often a fault is drawn after which settling may take minutes, compared with the others."""
_TRIES = 20
_LOADED = [link for link in Link if link is not Link.SCRAPER_API]
"""Links that a load needs: it stands in for the scraper, and goes by the queue alone."""

Choose = Callable[[random.Random], Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a drawn schedule may be.

    Attributes:
        faults: how many at most.
        together: how many of them at one moment at most.
        within_s: all are cured after so many seconds.
        shortest_s, longest_s: how long one of them lasts.
        workers: how many there are to be struck.
    """

    faults: int = 5
    together: int = 3
    within_s: float = 12.0
    shortest_s: float = 0.5
    longest_s: float = 4.0
    workers: int = 2


def draw(
    seed: object, faults: Mapping[str, Fault], bounds: Bounds = Bounds()
) -> tuple[Planned, ...]:
    """A schedule of one fault or several; the same seed and faults give the same one.

    Two of them never break the same part at a time. What no law survives is left out.

    Raises:
        ValueError: there is no fault to draw.
    """
    names = [name for name, each in faults.items() if each.survivable]
    if not names:
        raise ValueError("there is no fault that could be drawn")
    rng = random.Random(str(seed))
    weights = [SELDOM if Leaves.DEAD_LETTER_ROUTE in faults[name].leaves else 1 for name in names]
    drawn: list[Planned] = []
    parts: list[str] = []
    for _ in range(rng.randint(1, bounds.faults)):
        for _ in range(_TRIES):
            (name,) = rng.choices(names, weights)
            one = _one(rng, faults[name], bounds)
            part = faults[name].part(one.parameters)
            apart = not any(
                exclude(part, other) and overlap(one, each, BETWEEN_S)
                for each, other in zip(drawn, parts, strict=True)
            )
            if apart and together([*drawn, one]) <= bounds.together:
                drawn.append(one)
                parts.append(part)
                break
    return ordered(drawn)


def ordered(schedule: Iterable[Planned]) -> tuple[Planned, ...]:
    """A schedule in the order in which it strikes."""
    return tuple(sorted(schedule, key=lambda each: (each.begin_s, str(each))))


def exclude(one: str, other: str) -> bool:
    """Whether no two faults may break these parts at a time; `worker-*` is every worker."""
    return fnmatchcase(one, other) or fnmatchcase(other, one)


def overlap(one: Planned, other: Planned, between_s: float = 0.0) -> bool:
    """Whether both strike at some moment, or less than `between_s` lies between them."""
    return one.begin_s < other.end_s + between_s and other.begin_s < one.end_s + between_s


def together(schedule: Sequence[Planned]) -> int:
    """How many strike at one moment at most."""
    return max(
        (sum(each.begin_s <= one.begin_s < each.end_s for each in schedule) for one in schedule),
        default=0,
    )


def _one(rng: random.Random, fault: Fault, bounds: Bounds) -> Planned:
    choices: Mapping[str, Choose] = {
        "index": lambda rng: rng.randrange(bounds.workers),
        "how": lambda rng: rng.choice(list(Wrong)),
        "link": lambda rng: rng.choice(_LOADED),
        "latency_s": lambda rng: rng.choice([0.05, 0.2, 1.0]),
        "bytes_per_s": lambda rng: rng.choice([0.0, 20_000.0, 200_000.0]),
        "jitter_s": lambda rng: rng.choice([0.0, 0.3]),
    }
    given = {name: choices[name](rng) for name in fault.parameters if name in choices}
    longest = min(bounds.longest_s, bounds.within_s)
    lasts = max(bounds.shortest_s, _tenths(rng.uniform(bounds.shortest_s, longest)))
    begin = _tenths(rng.uniform(0, bounds.within_s - lasts))
    return Planned(fault.name, fault.completed(given), begin, lasts)


def _tenths(seconds: float) -> float:
    return math.floor(seconds * 10) / 10
