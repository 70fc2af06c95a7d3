"""A second opinion: reads rows by rules written down anew, sharing no code with what made them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Literal, cast
from zoneinfo import ZoneInfo

from selectolax.lexbor import LexborHTMLParser, LexborNode

from lab.workload.league.clubs import DIVISIONS
from lab.workload.league.rows import Row
from lab.workload.league.season import SOURCE
from system.contract.match import Match, Status

EASTERN = ZoneInfo("America/New_York")
STORED_AS = {
    "Intercontinental Football Academy of New England": "IFA",
    "Los Angeles Soccer Club": "Los Angeles SC",
}
SPELLED = {
    club.casefold(): club
    for leagues in DIVISIONS.values()
    for clubs in leagues.values()
    for club in clubs
}
LASTS = {"U13": 90, "U14": 90, "U15": 100, "U16": 100, "U17": 110, "U19": 110}
NOT_PLAYED = {"TBD", "VS", "V", "@", "NOT STARTED", "PENDING", ""}
_KICKOFF = re.compile(r"(\d\d)/(\d\d)/(\d\d) (\d\d):(\d\d)([ap])m")
_SCORE = re.compile(r"(\d+) [:\-–—] (\d+)( FORFEIT| \(FF\))?")  # noqa: RUF001


class CannotReadError(Exception):
    """The row is none that can be read."""


def plain(text: str) -> str:
    """One space wherever there are blanks of any kind."""
    return re.sub(r"\s+", " ", text).strip()


def team(text: str) -> str:
    """The stored name of a team."""
    name = plain(plain(text).removesuffix("Championship Qualification"))
    if not name:
        raise CannotReadError("no team")
    for printed, stored in STORED_AS.items():
        if name.casefold() == printed.casefold():
            return stored
    return SPELLED.get(name.casefold(), name)


def read(row: Row, moment: datetime) -> Match:
    """Read a row as it is seen at `moment`.

    Raises:
        CannotReadError: it cannot be read.
    """
    found = _KICKOFF.fullmatch(plain(row.kickoff))
    if not found:
        raise CannotReadError(row.kickoff)
    month, day, year, hour, minute = map(int, found.groups()[:5])
    try:
        on = date(2000 + year, month, day)
    except ValueError as error:
        raise CannotReadError(row.kickoff) from error
    hour = hour % 12 + (12 if found[6] == "p" else 0)
    unknown = (hour, minute) == (0, 0)
    home, away = team(row.home), team(row.away)
    if home == away:
        raise CannotReadError("a team against itself")
    word, home_score, away_score = plain(row.score), None, None
    status = {"PPD": "postponed", "CANC": "cancelled"}.get(word, word.lower())
    if word in NOT_PLAYED:
        status = "tbd" if _past(on, hour, minute, unknown, moment) else "scheduled"
    elif score := _SCORE.fullmatch(word):
        home_score, away_score = int(score[1]), int(score[2])
        past = _past(on, hour, minute, unknown, moment)
        ended = _ended(on, hour, minute, unknown, plain(row.age_group), moment)
        status = "completed" if ended else "live" if past else "scheduled"
        if score[3]:
            status = "forfeit"
        if status == "scheduled":  # a placeholder
            home_score = away_score = None
    elif status not in ("postponed", "cancelled"):
        raise CannotReadError(word)
    return Match(
        home_team=home,
        away_team=away,
        match_date=on,
        match_time=None if unknown else f"{hour:02}:{minute:02}",
        season="2025-26",
        age_group=plain(row.age_group),
        league=cast(Literal["Homegrown", "Academy"], row.league),
        division=plain(row.division),
        match_type=plain(row.match_type),
        match_status=Status(status),
        home_score=home_score,
        away_score=away_score,
        external_match_id=plain(row.match_id).removesuffix("MALE").strip() or None,
        location=plain(row.venue or "") or None,
        source=SOURCE,
    )


def _past(on: date, hour: int, minute: int, unknown: bool, moment: datetime) -> bool:
    if unknown:  # over when the next day begins in the east
        tomorrow = on + timedelta(days=1)
        begins = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=EASTERN)
        return begins.astimezone(UTC) <= moment
    kickoff = datetime(on.year, on.month, on.day, hour, minute, tzinfo=EASTERN)
    return kickoff.astimezone(UTC) <= moment


def _ended(
    on: date, hour: int, minute: int, unknown: bool, age_group: str, moment: datetime
) -> bool:
    if unknown:
        begins = datetime(on.year, on.month, on.day, tzinfo=EASTERN)
        return begins.astimezone(UTC) <= moment
    kickoff = datetime(on.year, on.month, on.day, hour, minute, tzinfo=EASTERN)
    return kickoff.astimezone(UTC) + timedelta(minutes=LASTS[age_group]) <= moment


def node(tree: LexborHTMLParser | LexborNode, selector: str) -> LexborNode:
    """The first node that `selector` finds; there must be one."""
    found = tree.css_first(selector)
    assert found is not None, selector
    return found
