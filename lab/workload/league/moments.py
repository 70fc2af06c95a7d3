"""Which moments of a season to scrape at. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from system.contract.playing import LEAGUE_TIME, kickoff_utc

_TELLING = (
    (0, time(13, 35)),  # Saturday, amid the matches
    (1, time(21, 5)),  # Sunday evening: played, and half of the results still missing
    (2, time(10, 5)),  # Monday: they come in
)
"""Days after Saturday, and the time there, US Eastern."""

_QUARTER_S = 900
_AFTER_QUARTER = timedelta(minutes=5)
"""Kickoffs are on the quarter hour. A scrape that takes some minutes must not include one, or its
rows would disagree about what is past."""

_ROOM = timedelta(days=9)  # a moment is moved by less than this, so they stay in order


def spread(begin: datetime, end: datetime, n: int) -> list[datetime]:
    """Return `n` moments in UTC, evenly from `begin` to `end`; a single one is `end`.

    If they are far enough apart, those between are moved to the next hour of `_TELLING`; if they
    are hours apart, to five minutes after a quarter hour.

    Raises:
        ValueError: `n` is below 1.
    """
    if n < 1:
        raise ValueError(f"at least one moment, not {n}")
    if n == 1:
        return [end]
    step = (end - begin) / (n - 1)
    between = [(begin + step * k).replace(microsecond=0) for k in range(1, n - 1)]
    if step >= _ROOM:
        between = [_telling(moment, k) for k, moment in enumerate(between)]
    elif step >= 2 * timedelta(seconds=_QUARTER_S):
        between = [_off_the_quarter(moment) for moment in between]
    return [begin, *between, end]


def _telling(moment: datetime, turn: int) -> datetime:
    day = moment.astimezone(LEAGUE_TIME).date()
    after_saturday, at = _TELLING[turn % len(_TELLING)]
    return kickoff_utc(day + timedelta(days=5 - day.weekday() + after_saturday), at)


def _off_the_quarter(moment: datetime) -> datetime:
    quarter = int(moment.timestamp()) // _QUARTER_S * _QUARTER_S
    return datetime.fromtimestamp(quarter, UTC) + _AFTER_QUARTER
