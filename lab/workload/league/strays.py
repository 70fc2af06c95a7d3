"""Rows that no scraper can read, and when the site shows them: about one in a hundred."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lab.workload.league.dice import Dice
from lab.workload.league.fixtures import Fixture
from lab.workload.league.rows import Row, RowDefect, unreadable_row
from lab.workload.league.timeline import OPENING

SHARE = 0.01
"""Of the matches; at least one row for each reason."""

_DAYS = 310  # from the opening to the last make-up date


@dataclass(frozen=True, slots=True)
class Stray:
    """An unreadable row.

    Attributes:
        fixture: the match that it was made from; it is listed beside that one.
        since: from when on the site shows it; None if from the beginning.
        until: when it is removed; None if never.
    """

    row: Row
    fixture: Fixture
    since: datetime | None
    until: datetime | None

    def shows_at(self, moment: datetime) -> bool:
        """Whether it is on the site at `moment`."""
        return (self.since is None or self.since <= moment) and (
            self.until is None or moment < self.until
        )


def strays(seed: int, fixtures: Sequence[Fixture], ids: Iterator[str]) -> list[Stray]:
    """Return the unreadable rows of a season; each takes an id that no match has."""
    reasons = list(RowDefect)
    found = []
    for number in range(max(len(reasons), round(SHARE * len(fixtures)))):
        dice = Dice(seed, "stray", number)
        fixture = dice.pick(fixtures)
        row = unreadable_row(fixture, next(ids), reasons[number % len(reasons)], dice)
        # Most stay for the whole season; some appear later, some are corrected.
        since = OPENING + timedelta(days=dice.between(20, _DAYS // 2))
        until = OPENING + timedelta(days=dice.between(_DAYS // 2 + 1, _DAYS))
        found.append(
            Stray(
                row,
                fixture,
                since if dice.chance(0.3) else None,
                until if dice.chance(0.3) else None,
            )
        )
    return found
