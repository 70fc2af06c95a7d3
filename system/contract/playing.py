"""When matches are played: seasons, and how soon a match can be over. Pure; league time.

A page shows scores before a match is over, and some pages show 0 : 0 before it has begun. What such
a score is worth follows from the clock.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

LEAGUE_TIME = ZoneInfo("America/New_York")
"""The league prints US Eastern times on every page, wherever the match is played."""

SEASON_BEGINS_MONTH = 8
"""A season is named after the August it begins in."""

# Regular time in minutes by age, as US Youth Soccer sets it (two halves of 35, 40 or 45).
# Leagues may play longer, none shorter.
_PLAYING_MINUTES = ((14, 70), (16, 80))
_PLAYING_MINUTES_OLDEST = 90
HALF_TIME = timedelta(minutes=10)
MARGIN = timedelta(minutes=10)
"""For added time, a late start and a clock that is not exact."""

EARLIEST_KICKOFF = time(7)
"""No match begins earlier, in league time; counts where the time of day is not known."""

AHEAD_MAX = timedelta(days=1)
"""A result this long before its match is a mistake, not a placeholder."""


@lru_cache(4096)
def kickoff_utc(day: date, at: time) -> datetime:
    """Return league time as UTC. In the hour that autumn repeats, the first one is meant."""
    return datetime.combine(day, at, LEAGUE_TIME).astimezone(UTC)


@lru_cache(4096)
def season_of(day: date) -> str:
    """Return the season that `day` falls in, like `2025-26`."""
    first = day.year if day.month >= SEASON_BEGINS_MONTH else day.year - 1
    return f"{first:04d}-{(first + 1) % 100:02d}"


@lru_cache(4096)
def season_fits(season: str, day: date) -> bool:
    """Whether a match on `day` can belong to a season such as `2025-26`.

    Seasons overlap in summer: a friendly in July may belong to the one that begins, and a final in
    August to the one that ends.
    """
    first = int(season[:4])
    months = (day.year - first) * 12 + day.month
    return int(season[-2:]) == (first + 1) % 100 and 7 <= months <= 12 + SEASON_BEGINS_MONTH


@lru_cache(4096)
def is_shown(day: date, at: time) -> bool:
    """Whether clocks show this time on this day: they go forward once a year.

    Raises:
        OverflowError: the kickoff in UTC lies beyond the calendar.
    """
    local = datetime.combine(day, at, LEAGUE_TIME)
    shown_again = local.astimezone(UTC).astimezone(LEAGUE_TIME)
    return shown_again.replace(tzinfo=None) == local.replace(tzinfo=None)


def has_begun(day: date, at: time | None, seen_at: datetime) -> bool:
    """Whether a match can have begun; without a time of day, from EARLIEST_KICKOFF on."""
    return _begin(day, at) <= seen_at


def can_be_over(age_group: str, day: date, at: time | None, seen_at: datetime) -> bool:
    """Whether a match can have been played to its end.

    Its age group's playing time, half-time and a margin must have passed since kickoff. Without a
    time of day it may have been the first of its day.
    """
    return _begin(day, at) + _played_within(age_group) <= seen_at


@lru_cache(64)
def _played_within(age_group: str) -> timedelta:
    age = int(age_group.lstrip("U"))
    minutes = next(
        (minutes for oldest, minutes in _PLAYING_MINUTES if age <= oldest), _PLAYING_MINUTES_OLDEST
    )
    return timedelta(minutes=minutes) + HALF_TIME + MARGIN


def day_is_over(day: date, seen_at: datetime) -> bool:
    """Whether a day has ended, in league time."""
    return seen_at.astimezone(LEAGUE_TIME).date() > day


def is_far_ahead(day: date, at: time | None, seen_at: datetime) -> bool:
    """Whether a match is more than AHEAD_MAX after the time at which it was seen."""
    return _begin(day, at) - seen_at > AHEAD_MAX


def _begin(day: date, at: time | None) -> datetime:
    try:
        return kickoff_utc(day, EARLIEST_KICKOFF if at is None else at)
    except OverflowError:  # the last day of the calendar
        return datetime.max.replace(tzinfo=UTC)
