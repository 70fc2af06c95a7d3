"""From a schedule page to matches. Pure: no network, no clock of its own.

Every row becomes a match or a refused row; a broken one never stops the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from selectolax.lexbor import LexborNode

from system.contract import match as contract
from system.contract import names, playing
from system.contract.match import Match
from system.errors import ContractViolation, ScheduleError
from system.scraper.gaps import Gap
from system.scraper.parsing import emptiness, kickoff, scores
from system.scraper.parsing import table as rows
from system.scraper.parsing.nesting import too_deep
from system.scraper.parsing.pagination import Pagination

SOURCE = "match-scraper"
_HEADING_MAX = 60


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is no match: where it is, why, and what it says.

    Attributes:
        page: name of the page.
        row: number of the row on the page, from 1, as a person counts them on the screen.
        reason: what is wrong, in words.
        excerpt: text of the row, at most 200 characters.
    """

    page: str
    row: int
    reason: str
    excerpt: str


@dataclass(frozen=True, slots=True)
class Schedule:
    """What one page says.

    Attributes:
        page: name of the page.
        matches: in the order of the page.
        refused: in the order of the page.
        pagination: the way to the next page.
        fingerprint: equal for two pages that show the same rows.
        doubts: why the page may show more than was understood; by kind, in words.
    """

    page: str
    matches: tuple[Match, ...]
    refused: tuple[RefusedRow, ...]
    pagination: Pagination
    fingerprint: str
    doubts: tuple[tuple[Gap, str], ...] = ()


def parse(html: str, *, page: str, now: datetime) -> Schedule:
    """Read a schedule page.

    Args:
        html: the page.
        page: its name (address or file), for errors and refused rows.
        now: when the page was read, aware; the status of a match follows from it.

    Raises:
        ScheduleError: there is no schedule on the page, or it is nested without end.
    """
    if too_deep(html):
        raise ScheduleError(f"{page}: its elements are nested too deep to be a schedule page")
    table = rows.table(html)
    if table is None:
        raise ScheduleError(
            f"{page}: there is no schedule on this page (no rows of matches, no heading of a"
            " league); look whether it is the right address and whether the site has changed"
        )
    matches: list[Match] = []
    refused: list[RefusedRow] = []
    digest = hashlib.sha256()
    for number, row in enumerate(table.rows, start=1):
        digest.update(row.text(separator="\x1f").encode("utf-8", "replace") + b"\x1e")
        try:
            matches.append(_match(row, table.league, now))
        except (ValueError, ContractViolation) as error:
            refused.append(RefusedRow(page, number, str(error), rows.excerpt(row)))
    return Schedule(
        page,
        tuple(matches),
        tuple(refused),
        table.pagination,
        digest.hexdigest(),
        tuple(_doubts(html, table)),
    )


def _doubts(html: str, table: rows.ScheduleTable) -> Iterator[tuple[Gap, str]]:
    if table.heading is None:
        yield Gap.LEAGUE, "no heading names a league, so its matches have none"
    elif table.league is None:
        heading = table.heading[:_HEADING_MAX]
        yield Gap.LEAGUE, f"its heading names {heading!r}, which is no league that is known"
    if not table.rows and (doubt := emptiness.doubt(html)) is not None:
        yield Gap.UNRECOGNISED, doubt


def _match(row: LexborNode, league: str | None, now: datetime) -> Match:
    cells = rows.cells(row)
    slot = kickoff.slot(cells.when_and_where)
    score = scores.score(cells.score)
    return contract.parse(
        {
            "external_match_id": cells.match_id,
            "home_team": names.team(cells.first_team),
            "away_team": names.team(cells.second_team),
            "match_date": slot.day.isoformat(),
            "match_time": slot.at.isoformat("minutes") if slot.at else None,
            "season": playing.season_of(slot.day),
            "age_group": cells.age_group.upper(),
            "match_type": names.clean(cells.competition),
            "division": names.clean(cells.division) if cells.division else None,
            "league": league,
            "home_score": score.home,
            "away_score": score.away,
            "match_status": kickoff.status(score, slot.day, slot.at, now).value,
            "location": slot.venue,
            "source": SOURCE,
            "observed_at": now,
        }
    )
