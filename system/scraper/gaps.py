"""Why a run may not have read everything that the league shows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Gap(StrEnum):
    """A kind of reason for which something may not have been read.

    UNREACHABLE   a page could not be fetched, or is no schedule
    PAGINATION    the way to the next page is not understood, leads elsewhere, or in a circle
    REPEATED      a page shows the rows of another one, and its own ones never came
    EMPTY         a page shows no rows, and others before or behind it do
    UNRECOGNISED  a page shows no rows that are known, and does not say that there are none
    LEAGUE        no heading names a league that is known, so the matches have none
    REFUSED       all rows of a schedule were refused
    LIMIT         there were more pages than may be read
    FEW_ROWS      far fewer matches than in the last good run
    """

    UNREACHABLE = "unreachable"
    PAGINATION = "pagination"
    REPEATED = "repeated"
    EMPTY = "empty"
    UNRECOGNISED = "unrecognised"
    LEAGUE = "league"
    REFUSED = "refused"
    LIMIT = "limit"
    FEW_ROWS = "few-rows"


@dataclass(frozen=True, slots=True)
class Remark:
    """Something about the reading that a person should know.

    Attributes:
        page: name of the page that it is about.
        text: in words.
        gap: why something may not have been read; None if nothing is missing.
    """

    page: str
    text: str
    gap: Gap | None = None

    def __str__(self) -> str:
        return self.text if self.page in self.text else f"{self.page}: {self.text}"
