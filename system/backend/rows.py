"""The rows of matches and their teams: lock some, and write them back. `store` decides which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import psycopg
from psycopg.rows import dict_row
from pydantic_core import to_json

from system.backend import arrays, merge, statements
from system.backend.merge import Row
from system.contract import names

_TeamKey = tuple[str, str, str]  # key of its name, age group, league or ""


@dataclass(slots=True)
class StoredMatch:
    """A stored match, or one that this transaction makes: then its id is 0 until it is written.

    Attributes:
        identity: the league's number of it, else the key under which it was first sent.
        teams: ids of its teams as stored, None if they are not as the row says.
        told, changed: whether an observation was merged into it, and a reader can see that.
    """

    id: int
    identity: str
    row: Row
    teams: tuple[int, int] | None
    told: bool = False
    changed: bool = False


def lock(connection: psycopg.Connection, ids: list[int]) -> list[StoredMatch]:
    """Read these matches, in the order of their ids, and keep others from changing them."""
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statements.LOCK_MATCHES, [arrays.array(ids)])
        return [_from_columns(each) for each in found]


def lock_known(connection: psycopg.Connection, identities: list[str]) -> dict[str, StoredMatch]:
    """As `lock`, by the keys of matches; those that are not known are left out."""
    matches: dict[int, StoredMatch] = {}
    known = {}
    with connection.cursor(row_factory=dict_row) as cursor:
        for columns in cursor.execute(statements.LOCK_KNOWN, [arrays.array(identities)]):
            match = matches.get(columns["id"]) or _from_columns(columns)
            known[columns["key"]] = matches[match.id] = match
    return known


def _from_columns(columns: dict[str, Any]) -> StoredMatch:
    at = columns["match_time"]
    stamp = columns["observed_at"].astimezone(UTC), columns["message_id"]
    shown = {name: columns[name] for name in (*merge.ALWAYS, *merge.OPTIONAL)}
    shown["match_time"] = at and at.isoformat("minutes")
    row = Row(shown, stamp, merge.ranks_from_json(columns["ranks"], stamp))
    teams = columns["home_team_id"], columns["away_team_id"]
    return StoredMatch(columns["id"], columns["identity"], row, teams)


def write(
    connection: psycopg.Connection,
    matches: Sequence[StoredMatch],
    keys: Mapping[str, StoredMatch],
) -> None:
    """Write matches that were changed, and those that are new; the latter get their ids.

    Args:
        keys: new ones, with the matches to which they lead.
    """
    lacking = [each for each in matches if each.teams is None]
    teams = _teams(connection, [each.row for each in lacking])
    for match in lacking:
        home, away = team_keys(match.row)
        match.teams = teams[home], teams[away]
    old = [each for each in matches if each.id]
    if old:
        rows = [(each.id, each.changed, *_columns_of(each)) for each in old]
        connection.execute(statements.UPDATE_MATCHES, arrays.columns(rows))
    more = [(key, each.id) for key, each in keys.items() if each.id]
    if more:
        connection.execute(statements.INSERT_IDENTITIES, arrays.columns(more))
    new = {each.identity: each for each in matches if not each.id}
    if new:
        leading = [(key, each.identity) for key, each in keys.items() if not each.id]
        columns = arrays.columns(_columns_of(each) for each in new.values())
        columns += arrays.columns(leading)
        for identity, id_ in connection.execute(statements.INSERT_MATCHES, columns):
            new[identity].id = id_


def join(connection: psycopg.Connection, *, gone: int, kept: int) -> None:
    """Make a stored match a part of another one, with all of its keys; write that one afterwards.

    Its receipts stay as they are.
    """
    for statement in statements.JOIN:
        connection.execute(statement, {"gone": gone, "kept": kept})


def _teams(connection: psycopg.Connection, rows: Iterable[Row]) -> dict[_TeamKey, int]:
    """Find the teams of these matches, creating those that are new."""
    wanted = {
        key: row.shown[side]
        for row in rows
        for key, side in zip(team_keys(row), ("home_team", "away_team"), strict=True)
    }
    if not wanted:
        return {}
    found = _find_teams(connection, sorted(wanted))
    missing = sorted((*key, wanted[key]) for key in wanted.keys() - found.keys())
    if missing:
        connection.execute(statements.CREATE_TEAMS, arrays.columns(missing))
        # Another writer may have created them meanwhile; a new statement sees those too.
        found |= _find_teams(connection, [(key, age, league) for key, age, league, _ in missing])
    return found


def team_keys(row: Row) -> tuple[_TeamKey, _TeamKey]:
    """What tells the home team and the away team of a match from all others."""
    age_group, league = row.shown["age_group"], row.shown["league"] or ""
    home, away = (names.key(row.shown[side]) for side in ("home_team", "away_team"))
    return (home, age_group, league), (away, age_group, league)


def _find_teams(connection: psycopg.Connection, wanted: list[_TeamKey]) -> dict[_TeamKey, int]:
    rows = connection.execute(statements.FIND_TEAMS, arrays.columns(wanted))
    return {(key, age, league): id_ for key, age, league, id_ in rows}


def _columns_of(match: StoredMatch) -> tuple[Any, ...]:
    """The columns that `statements` writes, in its order."""
    shown: Mapping[str, Any] = match.row.shown
    return (
        match.identity,
        shown["external_match_id"],
        shown["match_date"],
        shown["match_time"],
        shown["season"],
        shown["age_group"],
        shown["league"],
        shown["division"],
        shown["division_id"],
        shown["match_type"],
        shown["status"],
        shown["home_score"],
        shown["away_score"],
        shown["location"],
        shown["notes"],
        shown["source"],
        *match.row.stamp,
        match.row.kickoff,
        match.row.meeting,
        to_json(merge.ranks_as_json(match.row)).decode(),
        *(match.teams or (None, None)),
    )
