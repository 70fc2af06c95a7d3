"""Names as people mean them: blanks, invisible characters, remarks, official long names. Pure.

Every sender's names pass here, wherever its matches come in: see `system.contract.match`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

NAMES_MAX = 4096
"""Names whose usual forms are remembered: the same clubs come again with every match."""

# Long official names → the names that the tables and the other pages use.
_ALIASES = {
    "intercontinental football academy of new england": "IFA",
    "los angeles soccer club": "Los Angeles SC",
    # The earlier senders told its two teams apart by name; here the league does.
    "ifa hg": "IFA",
    "ifa academy": "IFA",
}
_LEAGUES = {"homegrown": "Homegrown", "academy": "Academy"}

# Zero-width and direction marks, soft hyphens, and controls that are no blank: they are invisible,
# and make two equal names different.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2069\ufeff]"
)
# Where the page prints no number, the earlier senders make one up from the age group, the division,
# the row on the page and the day of the scrape: another one every day, for another match.
_MADE_UP = re.compile(r"U[0-9]{1,2}_.*_[0-9]+_[0-9]{8}")
_USUAL_NUMBER = re.compile(r"[A-Za-z0-9.-]+")
_QUALIFICATION = re.compile(r" ?championship qualification$", re.IGNORECASE)


@lru_cache(NAMES_MAX)
def clean(text: str) -> str:
    """Return `text` on one line: NFC, every run of blanks (tabs, nbsp) one space, ends trimmed."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(_INVISIBLE.sub("", text).split())


@lru_cache(NAMES_MAX)
def team(text: str) -> str:
    """Return the team that a sender names, without appended remarks, by its usual name.

    Text that holds nothing else than what is taken away stays as it is.
    """
    name = _QUALIFICATION.sub("", clean(text)) or text
    return _ALIASES.get(name.casefold(), name)


def key(team: str) -> str:
    """What two spellings of one team have in common: FC Dallas is FC DALLAS."""
    return team.casefold()


@lru_cache(NAMES_MAX)
def league(text: str) -> str | None:
    """Return the league that a heading or a sender names: `Homegrown Division` is Homegrown."""
    words = clean(text).casefold().removesuffix(" division")
    return _LEAGUES.get(words)


def number(text: str) -> str | None:
    """Return the league's number that a sender gives; None for one that was made up."""
    if _USUAL_NUMBER.fullmatch(text):
        return text  # each is another one, so to remember their usual forms is of no use
    name = clean(text) or text
    return None if _MADE_UP.fullmatch(name) else name
