"""When a match is: the date cell, and the status that follows from the clock. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time

from system.contract.match import Status
from system.contract.names import clean
from system.contract.playing import LEAGUE_TIME, kickoff_utc
from system.scraper.parsing.scores import Score

_DATE = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4}|[0-9]{2})(?![0-9/])")
_TIME = re.compile(r" ?([0-9]{1,2}):([0-9]{2}) ?([ap])\.?m\b\.?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where and when a match is played, as the cell says.

    Attributes:
        day: US Eastern.
        at: kickoff, US Eastern; None if the page prints midnight, which means "not known".
        venue: None if the cell names none.
    """

    day: date
    at: time | None
    venue: str | None


def slot(text: str) -> Slot:
    """Read a date cell such as `09/20/25 03:45pm Progin Park - Field 10`.

    Raises:
        ValueError: there is no date, no time of day, or one that the calendar or clock lacks.
    """
    said = clean(text)
    found = _DATE.match(said)
    if found is None:
        raise ValueError(f"the date cell says {said[:60]!r}, not a date like 09/20/25 03:45pm")
    month, day, year = (int(part) for part in found.groups())
    if len(found[3]) == 2:
        year += 2000
    if not 2000 <= year <= 2099:
        raise ValueError(f"{found[0]} is in no year that this league plays in")
    try:
        on = date(year, month, day)
    except ValueError as error:
        raise ValueError(f"{found[0]} is no day of the calendar: {error}") from None
    clock = _TIME.match(said, found.end())
    if clock is None:
        raise ValueError(f"the date cell gives {found[0]} without a time of day like 03:45pm")
    hour, minute = int(clock[1]), int(clock[2])
    if not (1 <= hour <= 12 and minute <= 59):
        raise ValueError(f"{clean(clock[0])} is no time of the clock")
    at = time(hour % 12 + (12 if clock[3] in "pP" else 0), minute)
    return Slot(on, None if at == time(0) else at, clean(said[clock.end() :]) or None)


def status(seen: Score, day: date, at: time | None, now: datetime) -> Status:
    """Return the status of a match, as the page shows it at `now`.

    The cell's own word counts first. Then the clock: before kickoff the match is scheduled; after
    it, completed if there are scores and tbd if there are none yet. For a match without a time only
    the date is compared: it may be played at any hour of its day.

    Args:
        seen: what the score cell says.
        day: US Eastern.
        at: kickoff, US Eastern; None while it is not known.
        now: aware.
    """
    if seen.word is not None:
        return seen.word
    if at is not None:
        ahead = kickoff_utc(day, at) > now
    else:
        today = now.astimezone(LEAGUE_TIME).date()
        ahead = day > today or (day == today and seen.home is None)
    if ahead:
        return Status.SCHEDULED
    return Status.TBD if seen.home is None else Status.COMPLETED
