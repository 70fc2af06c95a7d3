"""The misprints of the site: different spellings of the same thing that a scraper must understand.

Every function takes the plain value and returns the text of a cell. Pure, by the dice given.
"""

from __future__ import annotations

from datetime import date, time

from lab.workload.league.clubs import OFFICIAL_NAMES
from lab.workload.league.dice import Dice

NO_SCORE_WORDS = ("TBD", "VS", "V", "@", "NOT STARTED", "PENDING", "")
POSTPONED_WORDS = ("POSTPONED", "PPD")
CANCELLED_WORDS = ("CANCELLED", "CANC")
FORFEIT_MARKS = ("FORFEIT", "(FF)")
SEPARATORS = (":", "-", "–", "—")  # noqa: RUF001 - the site prints dashes of all lengths
QUALIFICATION = "Championship Qualification"
NO_SCORE_TEXTS = ("see referee", "2 : ?", "ABANDONED", "x : 1")
"""Texts in the score cell of a row that cannot be read."""

_NBSP = "\u00a0"
_BLANKS = (_NBSP, "\t", "  ", f" {_NBSP}")


def spaced(text: str, dice: Dice) -> str:
    """`text`, now and then with unusual blanks inside or around it."""
    if " " in text and dice.chance(0.08):
        text = text.replace(" ", dice.pick(_BLANKS), 1)
    if dice.chance(0.04):
        text = dice.pick((f"\t{text}", f"{text}{_NBSP}", f"\n\t{text}\n"))
    return text


def team(name: str, dice: Dice) -> str:
    """A team: its stored or its long official name, sometimes in capitals or with a label."""
    if name in OFFICIAL_NAMES and dice.chance(0.6):
        name = OFFICIAL_NAMES[name]
    if dice.chance(0.02):
        name += dice.pick(("", " ", _NBSP)) + QUALIFICATION
    elif dice.chance(0.01):
        name = name.upper()
    return spaced(name, dice)


def match_id(external_id: str | None) -> str:
    """The first cell: the league's number, if there is one, and the gender."""
    return f"{external_id or ''}\t\nMALE"


def kickoff(day: date, at: time | None, dice: Dice) -> str:
    """A date with a year of two digits and a time of twelve hours; midnight means "not known"."""
    at = at or time(0)
    half = "am" if at.hour < 12 else "pm"
    printed = f"{us_date(day)} {at.hour % 12 or 12:02}:{at.minute:02}{half}"
    return spaced(printed, dice)


def us_date(day: date) -> str:
    """A date as the site prints it: 09/20/25."""
    return f"{day.month:02}/{day.day:02}/{day.year % 100:02}"


def score(home: int, away: int, dice: Dice) -> str:
    """Two numbers, with one of many separators."""
    blank = dice.pick((" ", " ", " ", _NBSP, "\t"))
    return f"{home}{blank}{dice.pick(SEPARATORS)}{blank}{away}"


def forfeit(home: int, away: int, dice: Dice) -> str:
    """The score of a match that was not played, and the mark that says so."""
    return f"{home} : {away} {dice.pick(FORFEIT_MARKS)}"


def venue(place: str | None, dice: Dice) -> str | None:
    """A venue. A missing one is an empty paragraph or none at all (None)."""
    if place is None:
        return dice.pick(("", None))
    return spaced(place, dice)
