"""What happens to the matches of a season: how many are moved, swapped, postponed, and so on."""

from __future__ import annotations

from enum import StrEnum

from lab.workload.league.dice import Dice


class Fate(StrEnum):
    """What happens to a match."""

    PLAYED = "played"
    PLAYED_WITHOUT_ID = "played-without-id"
    SCORE_LATE = "score-late"
    SCORE_NEVER = "score-never"
    SCORE_CORRECTED = "score-corrected"
    TIME_SET_LATER = "time-set-later"
    TIME_NEVER_KNOWN = "time-never-known"
    VENUE_CHANGED = "venue-changed"
    MOVED = "moved"
    MOVED_TWICE = "moved-twice"
    MOVED_THRICE = "moved-thrice"
    MOVED_AFTERWARDS = "moved-afterwards"
    MOVED_AND_SWAPPED = "moved-and-swapped"
    SWAPPED = "swapped"
    SWAPPED_WITH_RESULT = "swapped-with-result"
    POSTPONED = "postponed"
    POSTPONED_REDATED = "postponed-redated"
    CANCELLED = "cancelled"
    FORFEIT = "forfeit"


SHARES: dict[Fate, float] = {
    Fate.FORFEIT: 0.005,
    Fate.CANCELLED: 0.01,
    Fate.POSTPONED: 0.01,
    Fate.POSTPONED_REDATED: 0.02,
    Fate.MOVED: 0.06,
    Fate.MOVED_TWICE: 0.015,
    Fate.MOVED_THRICE: 0.005,
    Fate.MOVED_AFTERWARDS: 0.01,
    Fate.MOVED_AND_SWAPPED: 0.005,
    Fate.SWAPPED: 0.015,
    Fate.SWAPPED_WITH_RESULT: 0.01,
    Fate.SCORE_LATE: 0.06,
    Fate.SCORE_NEVER: 0.01,
    Fate.SCORE_CORRECTED: 0.01,
    Fate.TIME_SET_LATER: 0.06,
    Fate.TIME_NEVER_KNOWN: 0.01,
    Fate.VENUE_CHANGED: 0.01,
    # Only for matches that keep their teams and their date: without an id, a match that moves
    # cannot be distinguished from a new one.
    Fate.PLAYED_WITHOUT_ID: 0.02,
}
"""Share of the matches, and at least one of each if the season is large enough. All others are
played as scheduled."""


def fates(matches: int, dice: Dice) -> list[Fate]:
    """Return one fate for each of `matches` matches, in random order."""
    drawn = [fate for fate, share in SHARES.items() for _ in range(max(1, round(share * matches)))]
    drawn = drawn[:matches] + [Fate.PLAYED] * (matches - len(drawn))
    return dice.shuffled(drawn)
