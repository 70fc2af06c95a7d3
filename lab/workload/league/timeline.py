"""What becomes of one match: the versions of it that the site shows, one after the other.

A fate is a list of steps; a step makes the next version from the one before. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum

from lab.workload.league.dice import Dice
from lab.workload.league.fates import Fate
from lab.workload.league.fixtures import Fixture, half_of
from system.contract.playing import LEAGUE_TIME, kickoff_utc

OPENING = datetime(2025, 8, 15, 12, 0, tzinfo=UTC)
"""The site publishes the fixture list."""


_MINUTE = timedelta(minutes=1)

MINUTES = {"U13": 90, "U14": 90, "U15": 100, "U16": 100, "U17": 110, "U19": 110}
"""From kickoff to the earliest end that counts: regular time (70, 80, 90), 10 at half-time, and 10
of margin."""


class Ruling(StrEnum):
    """What the league has declared about a match."""

    NONE = ""
    POSTPONED = "postponed"
    CANCELLED = "cancelled"
    FORFEIT = "forfeit"


@dataclass(frozen=True, slots=True)
class Version:
    """What the site says about one match from `since` on.

    Attributes:
        since: in UTC.
        day: US Eastern, like `at`.
        at: None while the time of day is not known.
        venue: None if the site names none.
        numbered: whether the site prints the league's id of the match, if it has one.
    """

    since: datetime
    home: str
    away: str
    day: date
    at: time | None
    venue: str | None
    call: Ruling = Ruling.NONE
    numbered: bool = True
    home_score: int | None = None
    away_score: int | None = None

    @property
    def kickoff(self) -> datetime | None:
        """In UTC; None while the time of day is not known."""
        return None if self.at is None else kickoff_utc(self.day, self.at)

    def is_past(self, moment: datetime) -> bool:
        """Whether it has begun; without a time of day, whether its day in league time is over."""
        if self.at is None:
            return self.day < moment.astimezone(LEAGUE_TIME).date()
        return kickoff_utc(self.day, self.at) <= moment

    def can_be_over(self, age_group: str, moment: datetime) -> bool:
        """Whether it can have been played to its end; without a time of day, from its day on."""
        if self.kickoff is None:
            return self.day <= moment.astimezone(LEAGUE_TIME).date()
        return self.kickoff + timedelta(minutes=MINUTES[age_group]) <= moment


def timeline(fixture: Fixture, fate: Fate, dice: Dice) -> tuple[Version, ...]:
    """The versions of `fixture` by its fate. The first one is the fixture itself."""
    time_known = fate not in (Fate.TIME_SET_LATER, Fate.TIME_NEVER_KNOWN)
    versions = [
        Version(
            OPENING,
            fixture.home,
            fixture.away,
            fixture.day,
            fixture.at if time_known else None,
            None if dice.chance(0.04) else fixture.venue,
            numbered=fate is not Fate.ID_LATE,
        )
    ]
    for step in _STEPS[fate]:
        versions.append(step(versions[-1], dice))
    return tuple(versions)


def _minutes_after(version: Version, low: int, high: int, dice: Dice) -> datetime:
    """Some minutes after kickoff; after noon of the day if the time is not known."""
    start = version.kickoff or kickoff_utc(version.day, time(12))
    return start + timedelta(minutes=dice.between(low, high))


def _before(version: Version, days_max: int, dice: Dice) -> datetime:
    """From half a day to `days_max` days before the match, and after the version before."""
    latest = _minutes_after(version, -720, -720, dice)
    earliest = max(latest - timedelta(days=days_max), version.since + timedelta(hours=1))
    return earliest + timedelta(minutes=dice.between(0, (latest - earliest) // _MINUTE))


def _later_day(version: Version, weeks_min: int, dice: Dice) -> date:
    """A later weekend of the same half, or a day near it; leaves room to be moved again."""
    weeks_left = (half_of(version.day).makeup_until - version.day).days // 7
    weeks = dice.between(weeks_min, max(weeks_min, weeks_left // 2))
    return version.day + timedelta(weeks=weeks, days=dice.pick((0, 0, 0, 1, -4)))


def _to_later_day(version: Version, since: datetime, weeks_min: int, dice: Dice) -> Version:
    at = dice.pick((version.at, time(10, 0), time(11, 0), time(16, 0), time(19, 0)))
    venue = version.venue
    if dice.chance(0.4) and venue is not None:
        venue = f"{venue.partition(' - ')[0]} - Field {dice.between(13, 16)}"
    day = _later_day(version, weeks_min, dice)
    return replace(version, since=since, day=day, at=at, venue=venue, call=Ruling.NONE)


def _moved(version: Version, dice: Dice) -> Version:
    return _to_later_day(version, _before(version, 20, dice), 1, dice)


def _moved_afterwards(version: Version, dice: Dice) -> Version:
    """The site changes the date only after the old one has passed: until then it looks unplayed."""
    return _to_later_day(version, _minutes_after(version, 1200, 4000, dice), 2, dice)


def _postponed(version: Version, dice: Dice) -> Version:
    return replace(version, since=_minutes_after(version, -600, 90, dice), call=Ruling.POSTPONED)


def _redated(version: Version, dice: Dice) -> Version:
    since = version.since + timedelta(hours=dice.between(20, 100))
    return _to_later_day(version, since, 2, dice)


def _cancelled(version: Version, dice: Dice) -> Version:
    return replace(version, since=_before(version, 30, dice), call=Ruling.CANCELLED)


def _forfeited(version: Version, dice: Dice) -> Version:
    home_wins = dice.chance(0.5)
    return replace(
        version,
        since=_minutes_after(version, 60, 3000, dice),
        call=Ruling.FORFEIT,
        home_score=3 if home_wins else 0,
        away_score=0 if home_wins else 3,
    )


def _time_set(version: Version, dice: Dice) -> Version:
    at = time(dice.between(9, 17), dice.pick((0, 15, 30, 45)))
    return replace(version, since=_before(version, 28, dice), at=at)


def _venue_changed(version: Version, dice: Dice) -> Version:
    venue = f"Northgate Annex - Field {dice.between(1, 4)}"
    return replace(version, since=_before(version, 10, dice), venue=venue)


def _turned(version: Version) -> Version:
    return replace(version, home=version.away, away=version.home)


def _swapped(version: Version, dice: Dice) -> Version:
    return replace(_turned(version), since=_before(version, 20, dice))


def _nil(version: Version, dice: Dice) -> Version:
    return replace(version, since=_before(version, 30, dice), home_score=0, away_score=0)


def _numbered(version: Version, dice: Dice) -> Version:
    return replace(version, since=_before(version, 20, dice), numbered=True)


def _without_number(version: Version, dice: Dice) -> Version:
    return replace(version, since=_before(version, 40, dice), numbered=False)


def _numbered_again(version: Version, dice: Dice) -> Version:
    since = version.since + timedelta(minutes=dice.between(600, 30_000))
    return replace(version, since=since, numbered=True)


def _goals(dice: Dice) -> int:
    if dice.chance(0.02):
        return dice.between(6, 11)
    return dice.pick((0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5))


def _with_score(version: Version, since: datetime, dice: Dice) -> Version:
    return replace(version, since=since, home_score=_goals(dice), away_score=_goals(dice))


def _result(version: Version, dice: Dice) -> Version:
    """Within hours; half of Sunday's on Monday; a match without a time on the day after."""
    is_sunday = version.day.weekday() == 6
    if version.at is None or (is_sunday and dice.chance(0.5)):
        since = kickoff_utc(version.day + timedelta(days=1), time(8))
        return _with_score(version, since + timedelta(minutes=dice.between(0, 300)), dice)
    return _with_score(version, _minutes_after(version, 105, 300, dice), dice)


def _late_result(version: Version, dice: Dice) -> Version:
    return _with_score(version, _minutes_after(version, 2500, 12000, dice), dice)


def _swapped_result(version: Version, dice: Dice) -> Version:
    return _result(_turned(version), dice)


def _corrected(version: Version, dice: Dice) -> Version:
    since = version.since + timedelta(minutes=dice.between(600, 7000))
    return replace(version, since=since, home_score=(version.home_score or 0) + 1)


Step = Callable[[Version, Dice], Version]

_STEPS: dict[Fate, tuple[Step, ...]] = {
    Fate.PLAYED: (_result,),
    Fate.NIL_BEFORE: (_nil, _result),
    Fate.VISITOR: (_result,),
    Fate.PLAYED_WITHOUT_ID: (_result,),
    Fate.SWAPPED_WITHOUT_ID: (_swapped_result,),
    Fate.ID_LATE: (_numbered, _result),
    Fate.ID_GONE: (_without_number, _result, _numbered_again),
    Fate.SCORE_LATE: (_late_result,),
    Fate.SCORE_NEVER: (),
    Fate.SCORE_CORRECTED: (_result, _corrected),
    Fate.TIME_SET_LATER: (_time_set, _result),
    Fate.TIME_NEVER_KNOWN: (_result,),
    Fate.VENUE_CHANGED: (_venue_changed, _result),
    Fate.MOVED: (_moved, _result),
    Fate.MOVED_TWICE: (_moved, _moved, _result),
    Fate.MOVED_THRICE: (_moved, _moved, _moved, _late_result),
    Fate.MOVED_AFTERWARDS: (_moved_afterwards, _result),
    Fate.MOVED_AND_SWAPPED: (_moved, _swapped, _result),
    Fate.SWAPPED: (_swapped, _result),
    Fate.SWAPPED_WITH_RESULT: (_swapped_result,),
    Fate.POSTPONED: (_postponed,),
    Fate.POSTPONED_REDATED: (_postponed, _redated, _result),
    Fate.CANCELLED: (_cancelled,),
    Fate.FORFEIT: (_forfeited,),
}
