"""The table of a schedule page: from HTML to the texts of its cells.

The site lays its table out with Bootstrap columns, not as `<table>`. Columns count by position;
classes are used only to find the rows, and to leave out the hidden twin that every row has for
small screens.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from system.contract import names
from system.contract.names import clean
from system.scraper.parsing.pagination import Pagination, pagination

EXCERPT_MAX = 200

_ANY_ROW = ".table-content-row"
_ROW = ".table-content-row.hidden-xs"
_ID = re.compile(r"[0-9]{1,20}")
_GENDERS = frozenset({"MALE", "FEMALE"})
_BETWEEN_NODES = "\x1f"  # no page shows this character


@dataclass(frozen=True, slots=True)
class Cells:
    """The texts of one row, not yet understood. `match_id` and `division` may be missing."""

    match_id: str | None
    when_and_where: str
    age_group: str
    competition: str
    division: str | None
    first_team: str
    score: str
    second_team: str


@dataclass(frozen=True, slots=True)
class ScheduleTable:
    """What a page holds.

    Attributes:
        rows: one node for each match on the page; empty if nothing is scheduled.
        league: as the heading says, Homegrown or Academy; None if it says neither.
        heading: what the heading says instead of a league; None if there is no heading.
        pagination: the way to the next page.
    """

    rows: list[LexborNode]
    league: str | None
    heading: str | None
    pagination: Pagination


def table(html: str) -> ScheduleTable | None:
    """Find the schedule on a page, or None if there is none."""
    tree = LexborHTMLParser(html)
    rows = tree.css(_ROW)
    heading = tree.css_first("[data-league]")
    paginated = tree.css_first(".pagination") is not None
    if not rows and (tree.css_first(_ANY_ROW) or not (heading or paginated)):
        return None  # rows for small screens alone mean that the layout has changed
    said = (heading.attributes.get("data-league") or "") if heading else None
    return ScheduleTable(rows, names.league(said or ""), said, pagination(tree))


def cells(row: LexborNode) -> Cells:
    """Take a row apart.

    Raises:
        ValueError: the row has too few columns, or a column too few parts.
    """
    columns = list(row.iter())
    if len(columns) < 5:
        raise ValueError(f"the row has {len(columns)} columns, not the 5 of a match")
    sides = _parts(columns[4])
    if len(sides) != 3:
        raise ValueError(
            f"the fifth column has {len(sides)} parts, not first team, score and second team"
        )
    lines = _lines(columns[3])
    return Cells(
        match_id=_match_id(columns[0]),
        when_and_where=columns[1].text(separator=" "),
        age_group=clean(columns[2].text()),
        competition=lines[0] if lines else "",
        division=" ".join(lines[1:]) or None,
        first_team=sides[0].text(),
        score=sides[1].text(separator=" "),
        second_team=sides[2].text(),
    )


def excerpt(row: LexborNode) -> str:
    """The text of a row for a person to recognise it by, at most `EXCERPT_MAX` characters."""
    return " | ".join(clean(cell.text(separator=" ")) for cell in row.iter())[:EXCERPT_MAX]


def _match_id(cell: LexborNode) -> str | None:
    """`99963⇥⏎MALE` → 99963. The site leaves the number out of some rows."""
    words = [word for word in cell.text(separator=" ").split() if word.upper() not in _GENDERS]
    if not words:
        return None
    if len(words) > 1 or not _ID.fullmatch(words[0]):
        raise ValueError(
            f"the first column says {' '.join(words)[:60]!r}, not the number of a match"
        )
    return words[0]


def _lines(cell: LexborNode) -> list[str]:
    """The texts of a cell, one for each piece of markup; without markup, one for each line."""
    pieces = _not_blank(cell.text(separator=_BETWEEN_NODES).split(_BETWEEN_NODES))
    return _not_blank(pieces[0].splitlines()) if len(pieces) == 1 else pieces


def _not_blank(texts: list[str]) -> list[str]:
    return [text for text in texts if clean(text)]


def _parts(cell: LexborNode) -> list[LexborNode]:
    """The parts of a cell, without the boxes around them that hold nothing else."""
    children = list(cell.iter())
    while len(children) == 1:
        children = list(children[0].iter())
    return children
