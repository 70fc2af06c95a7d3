"""The texts of one row of a schedule page: of a match, or of something that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lab.workload.league import quirks
from lab.workload.league.clubs import OFFICIAL_NAMES
from lab.workload.league.dice import Dice
from lab.workload.league.fixtures import Fixture
from lab.workload.league.timeline import Ruling, Version

MATCH_TYPE = "League"


class RowDefect(StrEnum):
    """Why a row is no match to any scraper."""

    DATE_ONLY = "date-only"
    NO_SUCH_DATE = "no-such-date"
    SCORE_TEXT = "score-text"
    SAME_TEAM = "same-team"
    MISSING_TEAM = "missing-team"


@dataclass(frozen=True, slots=True)
class Row:
    """The texts of a row's cells, quirks included, not yet escaped.

    Attributes:
        league: the list that it belongs to; not a cell, the page's heading says it.
        venue: None if even the paragraph is missing.
        unreadable: why the row cannot be read; None for a readable one.
    """

    league: str
    match_id: str
    kickoff: str
    venue: str | None
    age_group: str
    match_type: str
    division: str
    home: str
    away: str
    score: str
    unreadable: RowDefect | None = None


def row_of(fixture: Fixture, external_id: str | None, version: Version, dice: Dice) -> Row:
    """Print one version of a match."""
    return Row(
        fixture.league,
        quirks.match_id(external_id if version.numbered else None),
        quirks.kickoff(version.day, version.at, dice),
        quirks.venue(version.venue, dice),
        quirks.spaced(fixture.age_group, dice),
        quirks.spaced(MATCH_TYPE, dice),
        quirks.spaced(fixture.division, dice),
        quirks.team(version.home, dice),
        quirks.team(version.away, dice),
        _score_of(version, dice),
    )


def _score_of(version: Version, dice: Dice) -> str:
    if version.call is Ruling.POSTPONED:
        return dice.pick(quirks.POSTPONED_WORDS)
    if version.call is Ruling.CANCELLED:
        return dice.pick(quirks.CANCELLED_WORDS)
    if version.home_score is None or version.away_score is None:
        return dice.pick(quirks.NO_SCORE_WORDS)
    if version.call is Ruling.FORFEIT:
        return quirks.forfeit(version.home_score, version.away_score, dice)
    return quirks.score(version.home_score, version.away_score, dice)


def unreadable_row(fixture: Fixture, external_id: str, reason: RowDefect, dice: Dice) -> Row:
    """Print a row that cannot be read, made from `fixture` by one defect."""
    kickoff = quirks.kickoff(fixture.day, fixture.at, dice)
    home, away, score = fixture.home, fixture.away, dice.pick(quirks.NO_SCORE_WORDS)
    match reason:
        case RowDefect.DATE_ONLY:
            kickoff = quirks.us_date(fixture.day)
        case RowDefect.NO_SUCH_DATE:
            kickoff = dice.pick(("13/05/25 10:00am", "02/30/26 12:30pm", "00/11/25 09:15am"))
        case RowDefect.SCORE_TEXT:
            score = dice.pick(quirks.NO_SCORE_TEXTS)
        case RowDefect.SAME_TEAM:
            away = OFFICIAL_NAMES.get(home, home)
        case RowDefect.MISSING_TEAM:
            home, away = dice.pick((("", away), (home, ""), ("", "")))
    return Row(
        fixture.league,
        quirks.match_id(external_id),
        kickoff,
        fixture.venue,
        fixture.age_group,
        MATCH_TYPE,
        fixture.division,
        home,
        away,
        score,
        reason,
    )
