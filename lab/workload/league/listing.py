"""Rows divided into pages, with the site's quirks of pagination. Pure.

Now and then a page repeats the rows of the page before (nothing is lost: its own rows come one page
later). At some moments the "Next" of the last page leads to that page itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lab.workload.league.clubs import LEAGUES
from lab.workload.league.dice import Dice
from lab.workload.league.rows import Row

REPEATED_SHARE = 0.04
LAST_TO_ITSELF_SHARE = 0.33


@dataclass(frozen=True, slots=True)
class Page:
    """What one page shows: rows of one league, as its heading says."""

    league: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """All pages of a moment, leagues one after the other.

    Attributes:
        last_to_itself: whether "Next" on the last page leads to that page again.
    """

    pages: tuple[Page, ...]
    last_to_itself: bool

    def of(self, league: str | None) -> tuple[Page, ...]:
        """The pages of one league, or all of them; at least one, without rows if need be."""
        if league is None:
            return self.pages or (Page(LEAGUES[0], ()),)
        return tuple(page for page in self.pages if page.league == league) or (Page(league, ()),)


def listing(rows: Sequence[Row], page_size: int, seed: int, moment: datetime) -> Listing:
    """Divide the rows of a moment into pages of `page_size` rows at most."""
    name = moment.astimezone(UTC).isoformat()
    pages: list[Page] = []
    for league in LEAGUES:
        mine = [row for row in rows if row.league == league]
        dice = Dice(seed, "pages", name, league)
        for start in range(0, len(mine), page_size):
            if start and dice.chance(REPEATED_SHARE):
                pages.append(pages[-1])
            pages.append(Page(league, tuple(mine[start : start + page_size])))
    return Listing(tuple(pages), Dice(seed, "last", name).chance(LAST_TO_ITSELF_SHARE))
