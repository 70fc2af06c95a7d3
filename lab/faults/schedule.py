"""Faults by schedule, as a person writes them: `broker-killed@20s+5s`. Pure.

NAME[:name=value,...]@BEGIN+LENGTH    link-cut:link=worker-api@1m+10s

A whole schedule is one line with commas between its faults, which a shell takes as one word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from lab.clients.prometheus.promql import seconds
from lab.errors import CannotRun
from lab.faults import registry
from lab.substrates.abilities import Partitionable

LENGTH_S_MAX = 600.0
BEGIN_S_MAX = 24 * 3600.0
FAULTS_MAX = 100
_DECIMAL = re.compile(r"\d+\.\d+s")
_NEXT = re.compile(r",\s*(?=[a-z0-9-]+[:@])")
"""The comma before a fault, and none of those between parameters."""
_FORM = "NAME@BEGIN+LENGTH, as broker-killed@20s+5s or link-cut:link=worker-api@1m+10s"


@dataclass(frozen=True, slots=True)
class Planned:
    """One fault of a schedule.

    Attributes:
        parameters: all of them.
        begin_s, length_s: seconds from the beginning of the work, and for how long.
    """

    name: str
    parameters: Mapping[str, Any]
    begin_s: float
    length_s: float

    @property
    def end_s(self) -> float:
        """When it is cured."""
        return self.begin_s + self.length_s

    @property
    def part(self) -> str:
        """What it breaks; see `Fault.part`."""
        return registry.find(self.name).part(self.parameters)

    @property
    def breaks_a_link(self) -> bool:
        """Whether the lab must have relays for it."""
        return Partitionable in registry.find(self.name).needs

    def __str__(self) -> str:
        chosen = ",".join(f"{key}={value}" for key, value in self.parameters.items())
        named = f"{self.name}:{chosen}" if chosen else self.name
        return f"{named}@{_written(self.begin_s)}+{_written(self.length_s)}"


def parse(words: Iterable[str]) -> list[Planned]:
    """A schedule, in the order of its faults' begin.

    Raises:
        CannotRun: a word is not written so, names no fault, or the same fault overlaps itself.
    """
    schedule = sorted(map(_parse, words), key=lambda each: each.begin_s)
    for first, second in combinations(schedule, 2):
        same = (first.name, first.parameters) == (second.name, second.parameters)
        if same and second.begin_s < first.end_s:
            raise CannotRun(
                f"{second} begins before {first} is cured; what is broken cannot be broken again"
            )
    return schedule


def read(line: str) -> tuple[Planned, ...]:
    """The schedule of one line, as `write` gives it.

    Raises:
        CannotRun: as `parse` does; or it has more than `FAULTS_MAX` faults.
    """
    words = [word.strip() for word in _NEXT.split(line)]
    if len(words) > FAULTS_MAX:
        raise CannotRun(f"a schedule has {FAULTS_MAX} faults at most, not {len(words)}")
    return tuple(parse(words))


def write(schedule: Iterable[Planned]) -> str:
    """A schedule as one line."""
    return ",".join(map(str, schedule))


def _parse(word: str) -> Planned:
    what, at, when = word.rpartition("@")
    begin, plus, length = when.partition("+")
    if not (what and at and begin and plus and length):
        raise CannotRun(f"a fault is written {_FORM}; not {word!r}")
    name, colon, chosen = what.partition(":")
    found = registry.find(name)
    parameters = found.completed(registry.given(chosen.split(",")) if colon else {})
    begin_s = _seconds(word, "begins", begin, BEGIN_S_MAX)
    length_s = _seconds(word, "lasts", length, LENGTH_S_MAX)
    if length_s == 0:
        raise CannotRun(f"--fault {word}: it lasts 0 s, so nothing would be broken")
    return Planned(name, parameters, begin_s, length_s)


def _written(seconds: float) -> str:
    """To a millisecond."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"


def _seconds(word: str, what: str, text: str, most: float) -> float:
    try:
        found = float(text[:-1]) if _DECIMAL.fullmatch(text) else seconds(text)
    except ValueError as error:
        raise CannotRun(f"--fault {word}: {error}") from None
    if found > most:
        raise CannotRun(f"--fault {word}: it {what} {found:g} s, and {most:g} s are the most")
    return found
