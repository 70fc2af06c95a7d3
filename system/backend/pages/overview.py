"""What one page shows: the requested group, its table, its matches, and links to other groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from urllib.parse import urlencode

import psycopg

from system.backend import queries
from system.backend.queries import Group, StoredMatch
from system.backend.standings import Standing

RESULTS, FIXTURES = 12, 8


class GroupQuery(NamedTuple):
    """The group that a visitor asked for; None for each part that was left out."""

    season: str | None = None
    age_group: str | None = None
    league: str | None = None
    division: str | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice to offer: its text, its address, and whether it is the current one."""

    text: str
    href: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the page shows.

    `group` is None while there is no match at all; `are_all` is false if there are more groups than
    can be offered.
    """

    group: Group | None
    seasons: Sequence[Choice] = ()
    age_groups: Sequence[Choice] = ()
    divisions: Sequence[Choice] = ()
    rows: Sequence[Standing] = ()
    results: Sequence[StoredMatch] = ()
    fixtures: Sequence[StoredMatch] = ()
    newest: datetime | None = None
    are_all: bool = True

    @property
    def title(self) -> str:
        """The group in words: U14 Homegrown Northeast 2025-26."""
        return "" if self.group is None else f"{self.group.age_group} {_division(self.group)}"


def gather(connection: psycopg.Connection, query: GroupQuery, today: date) -> Overview:
    """Gather what the page for `query` shows."""
    groups = queries.groups(connection)
    group = choose(groups, query)
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
        newest=max((match.observed_at for match in (*results, *fixtures)), default=None),
        are_all=len(groups) < queries.GROUPS_MAX,
    )


def choose(groups: Iterable[Group], query: Sequence[str | None]) -> Group | None:
    """Return the group that fits `query` best: season first, then age group, league, division.

    If no group fits a part, or the part was left out, the first group that remains decides;
    `groups` come newest season first.
    """
    left = list(groups)
    for at, value in enumerate(query):
        left = [group for group in left if group[at] == value] or left
        left = [group for group in left if group[at] == left[0][at]]
    return left[0] if left else None


def _links(groups: Sequence[Group], group: Group, level: int) -> list[Choice]:
    """The choices at one level (0 season, 1 age group, 2 league and division), others kept."""
    end = 4 if level == 2 else level + 1
    offered = dict.fromkeys(other[:end] for other in groups if other[:level] == group[:level])
    links = []
    for start in offered:
        target = choose(groups, (*start, *group[end:])) or group
        text = _division(target) if level == 2 else start[level]
        links.append(Choice(text, "?" + urlencode(target._asdict()), start == group[:end]))
    return links


def _division(group: Group) -> str:
    return " ".join(filter(None, (group.league, group.division))) or "All"
