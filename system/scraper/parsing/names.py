"""Text as people mean it: blanks, invisible characters, official long names. Pure."""

from __future__ import annotations

import re
import unicodedata

# Long official names → the names that the tables and the other pages use.
_ALIASES = {
    "intercontinental football academy of new england": "IFA",
    "los angeles soccer club": "Los Angeles SC",
}

# Zero-width and direction marks, soft hyphens, and controls that are no blank: they are invisible,
# and make two equal names different.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2069\ufeff]"
)
_QUALIFICATION = re.compile(r" ?championship qualification$", re.IGNORECASE)


def clean(text: str) -> str:
    """Return `text` on one line: NFC, every run of blanks (tabs, nbsp) one space, ends trimmed."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(_INVISIBLE.sub("", text).split())


def team(text: str) -> str:
    """Return the team that a cell names, without appended remarks, by its usual name."""
    name = _QUALIFICATION.sub("", clean(text))
    return _ALIASES.get(name.casefold(), name)
