"""What happens to the matches of a season: how many are moved, swapped, postponed, and so on."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from lab.workload.league.dice import Dice


class Fate(StrEnum):
    """What happens to a match, and the share of the matches to which it happens.

    At least one of each, if the season is large enough. All others are played as scheduled.
    """

    FORFEIT = "forfeit", 0.005
    CANCELLED = "cancelled", 0.01
    POSTPONED = "postponed", 0.01
    POSTPONED_REDATED = "postponed-redated", 0.02
    MOVED = "moved", 0.06
    MOVED_TWICE = "moved-twice", 0.015
    MOVED_THRICE = "moved-thrice", 0.005
    MOVED_AFTERWARDS = "moved-afterwards", 0.01
    MOVED_AND_SWAPPED = "moved-and-swapped", 0.005
    SWAPPED = "swapped", 0.015
    SWAPPED_WITH_RESULT = "swapped-with-result", 0.01
    SCORE_LATE = "score-late", 0.06
    SCORE_NEVER = "score-never", 0.01
    SCORE_CORRECTED = "score-corrected", 0.01
    TIME_SET_LATER = "time-set-later", 0.06
    TIME_NEVER_KNOWN = "time-never-known", 0.01
    VENUE_CHANGED = "venue-changed", 0.01
    NIL_BEFORE = "nil-before", 0.02  # 0 : 0 is printed before it is played
    VISITOR = "visitor", 0.01  # one of its teams plays in another division
    # Only for matches that keep their date: without an id, a match that moves cannot be
    # distinguished from a new one.
    PLAYED_WITHOUT_ID = "played-without-id", 0.02
    SWAPPED_WITHOUT_ID = "swapped-without-id", 0.005  # turned round with its result
    ID_LATE = "id-late", 0.01  # printed only shortly before it is played
    ID_GONE = "id-gone", 0.01  # left out for some weeks, then printed again
    PLAYED = "played", None

    share: float | None

    def __new__(cls, name: str, share: float | None) -> Self:
        """Make a member: text, with its share beside it."""
        fate = str.__new__(cls, name)
        fate._value_, fate.share = name, share
        return fate


WITHOUT_ID = frozenset({Fate.PLAYED_WITHOUT_ID, Fate.SWAPPED_WITHOUT_ID})


def fates(matches: int, dice: Dice) -> list[Fate]:
    """Return one fate for each of `matches` matches, in random order."""
    drawn = [
        fate
        for fate in Fate
        if fate.share is not None
        for _ in range(max(1, round(fate.share * matches)))
    ]
    drawn = drawn[:matches] + [Fate.PLAYED] * (matches - len(drawn))
    return dice.shuffled(drawn)
