"""What one page shows: the group that was asked for, its table, its matches, and the way on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from urllib.parse import urlencode

import psycopg

from system.backend import queries
from system.backend.queries import Group, StoredMatch
from system.backend.standings import Row

RESULTS, FIXTURES = 12, 8


class Wish(NamedTuple):
    """What a visitor asked for; None where they did not say."""

    season: str | None = None
    age_group: str | None = None
    league: str | None = None
    division: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A choice to offer: its words, where it leads, and whether it is the present one."""

    text: str
    href: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the page shows. `group` is None while there is no match at all."""

    group: Group | None
    seasons: Sequence[Link] = ()
    age_groups: Sequence[Link] = ()
    divisions: Sequence[Link] = ()
    rows: Sequence[Row] = ()
    results: Sequence[StoredMatch] = ()
    fixtures: Sequence[StoredMatch] = ()
    newest: datetime | None = None

    @property
    def title(self) -> str:
        """The group in words: U14 Homegrown Northeast 2025-26."""
        return "" if self.group is None else f"{self.group.age_group} {_division(self.group)}"


def look(connection: psycopg.Connection, wish: Wish, today: date) -> Overview:
    """Gather what the page for `wish` shows."""
    groups = queries.groups(connection)
    group = choose(groups, wish)
    if group is None:
        return Overview(None)
    rows = queries.standings(connection, {**group._asdict(), "match_type": "League"})
    results = queries.results(connection, group, RESULTS)
    fixtures = queries.fixtures(connection, group, today, FIXTURES)
    return Overview(
        group,
        seasons=_links(groups, group, 0),
        age_groups=_links(groups, group, 1),
        divisions=_links(groups, group, 2),
        rows=rows,
        results=results,
        fixtures=fixtures,
        newest=max((each.observed_at for each in (*results, *fixtures)), default=None),
    )


def choose(groups: Iterable[Group], wish: Sequence[str | None]) -> Group | None:
    """Return the group that fits `wish` best: season first, then age group, league, division.

    Where nothing fits, or nothing was wished, the first of those left is taken; `groups` come
    newest season first.
    """
    left = list(groups)
    for at, value in enumerate(wish):
        left = [each for each in left if each[at] == value] or left
        left = [each for each in left if each[at] == left[0][at]]
    return left[0] if left else None


def _links(groups: Sequence[Group], group: Group, level: int) -> list[Link]:
    """The choices at one level (0 season, 1 age group, 2 league and division), others kept."""
    end = 4 if level == 2 else level + 1
    offered = dict.fromkeys(each[:end] for each in groups if each[:level] == group[:level])
    links = []
    for start in offered:
        target = choose(groups, (*start, *group[end:])) or group
        text = _division(target) if level == 2 else start[level]
        links.append(Link(text, "?" + urlencode(target._asdict()), start == group[:end]))
    return links


def _division(group: Group) -> str:
    return " ".join(filter(None, (group.league, group.division))) or "All"
