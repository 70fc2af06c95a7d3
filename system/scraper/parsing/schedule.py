"""From a schedule page to matches. Pure: no network, no clock of its own.

Every row becomes a match or a refused row; a broken one never stops the rest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from selectolax.lexbor import LexborNode

from system.contract import match as contract
from system.contract.match import Match
from system.errors import ContractViolation, ScheduleError
from system.scraper.parsing import kickoff, names, scores
from system.scraper.parsing import table as rows
from system.scraper.parsing.nesting import too_deep

SOURCE = "match-scraper"


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
        next_link: address of the next page as the page gives it; None on the last one.
        fingerprint: equal for two pages that show the same rows.
    """

    page: str
    matches: tuple[Match, ...]
    refused: tuple[RefusedRow, ...]
    next_link: str | None
    fingerprint: str


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
    return Schedule(page, tuple(matches), tuple(refused), table.next_link, digest.hexdigest())


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
            "season": kickoff.season(slot.day),
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
