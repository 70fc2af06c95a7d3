"""Read matches: by id, page by page, and those that make a league table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from http import HTTPStatus
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import BaseModel, ConfigDict, field_validator

from system.backend.errors import ApiError
from system.backend.standings import FinalScore, Standing, Team, league_table, members
from system.contract import names

PAGE_MAX = 1000
TABLE_MATCHES_MAX = 20_000
GROUPS_MAX = 2000
ID_MAX = 2**63 - 1

_COLUMNS = sql.SQL("""
    m.id, m.identity, h.name AS home_team, a.name AS away_team, m.match_date, m.match_time,
    m.kickoff, m.season, m.age_group, m.league, m.division, m.division_id, m.match_type,
    m.status AS match_status, m.home_score, m.away_score, m.external_match_id, m.location, m.notes,
    m.source, m.observed_at, m.message_id, m.created_at, m.updated_at,
    ARRAY(SELECT d.other_id FROM possible_duplicates d WHERE d.match_id = m.id
        UNION SELECT d.match_id FROM possible_duplicates d WHERE d.other_id = m.id)
        AS possible_duplicates""")

_FROM = sql.SQL("""
    FROM matches m JOIN teams h ON h.id = m.home_team_id JOIN teams a ON a.id = m.away_team_id""")

# What each filter of a reader means. A league or division of "" means those without one.
_CONDITIONS: Mapping[str, sql.SQL] = {
    "season": sql.SQL("m.season = %(season)s"),
    "age_group": sql.SQL("m.age_group = %(age_group)s"),
    "league": sql.SQL("coalesce(m.league, '') = %(league)s"),
    "division": sql.SQL("coalesce(m.division, '') = %(division)s"),
    "match_type": sql.SQL("lower(m.match_type) = lower(%(match_type)s)"),
    "team": sql.SQL("%(team)s IN (h.key, a.key)"),
    "status": sql.SQL("m.status = %(status)s"),
    "date_from": sql.SQL("m.match_date >= %(date_from)s"),
    "date_to": sql.SQL("m.match_date <= %(date_to)s"),
    "external_match_id": sql.SQL("m.external_match_id = %(external_match_id)s"),
    "after": sql.SQL("m.id > %(after)s"),
    # A match that was merged into another one is found as that.
    "id": sql.SQL("m.id = coalesce((SELECT merged_into FROM matches WHERE id = %(id)s), %(id)s)"),
}
_SHOWN = sql.SQL("m.merged_into IS NULL")


class StoredMatch(BaseModel):
    """A match as stored: the wire's fields, and what the store knows of it.

    `match_date` and `match_time` are US Eastern, `kickoff` is UTC. `observed_at` and `message_id`
    are those of the newest observation. `possible_duplicates` are the ids of matches that may be
    this one, until an operator says; see `python -m system.backend matches`.
    """

    model_config = ConfigDict(frozen=True)

    id: int
    identity: str
    home_team: str
    away_team: str
    match_date: date
    match_time: str | None
    kickoff: datetime | None
    season: str
    age_group: str
    league: str | None
    division: str | None
    division_id: int | None
    match_type: str
    match_status: str
    home_score: int | None
    away_score: int | None
    external_match_id: str | None
    location: str | None
    notes: str | None
    source: str | None
    observed_at: datetime
    message_id: str
    created_at: datetime
    updated_at: datetime
    possible_duplicates: list[int]

    @field_validator("match_time", mode="before")
    @classmethod
    def _as_on_the_wire(cls, value: Any) -> Any:
        return value.isoformat("minutes") if isinstance(value, time) else value


class Group(NamedTuple):
    """The matches of one league table; a league or division of "" stands for none."""

    season: str
    age_group: str
    league: str
    division: str


@dataclass(frozen=True, slots=True)
class MatchPage:
    """Some matches in the order of their ids, and the cursor after them, None at the end."""

    matches: list[StoredMatch]
    next: str | None


def season_key(season: str) -> str:
    """Return a season in the one spelling that is stored: 2025-2026 is 2025-26."""
    first, _, last = season.partition("-")
    return f"{first}-{last[-2:]}"


def team_key(team: str) -> str:
    """Return the key of a team that a reader names as any sender may name it."""
    return names.key(names.team(team))


def match(connection: psycopg.Connection, match_id: int) -> StoredMatch | None:
    """Return one match, or None."""
    found = _matches(connection, {"id": match_id}, order=sql.SQL("m.id"), limit=1)
    return found[0] if found else None


def matches(connection: psycopg.Connection, filters: Mapping[str, Any], limit: int) -> MatchPage:
    """Return up to `limit` matches that pass all filters; those that are None are left out.

    They come in the order of their ids, which never change: a reader that pages through them sees
    every match that existed when it began exactly once, whatever is written meanwhile.
    """
    found = _matches(connection, filters, order=sql.SQL("m.id"), limit=limit + 1)
    page = found[:limit]
    return MatchPage(page, str(page[-1].id) if len(found) > limit else None)


def results(connection: psycopg.Connection, group: Group, limit: int) -> list[StoredMatch]:
    """Return the newest results of a group, newest first."""
    return _matches(
        connection,
        group._asdict(),
        sql.SQL("m.status IN ('completed', 'forfeit')"),
        order=sql.SQL("m.match_date DESC, m.kickoff DESC NULLS LAST, m.id"),
        limit=limit,
    )


def fixtures(
    connection: psycopg.Connection, group: Group, today: date, limit: int
) -> list[StoredMatch]:
    """Return the next matches of a group from `today` on that have no result yet."""
    return _matches(
        connection,
        {**group._asdict(), "date_from": today},
        sql.SQL("m.status NOT IN ('completed', 'forfeit')"),
        order=sql.SQL("m.match_date, m.kickoff NULLS LAST, m.id"),
        limit=limit,
    )


def groups(connection: psycopg.Connection) -> list[Group]:
    """Return every group that has a match, newest season first, GROUPS_MAX at most."""
    rows = connection.execute(
        "SELECT DISTINCT season, age_group, coalesce(league, ''), coalesce(division, '')"
        " FROM matches WHERE merged_into IS NULL ORDER BY 1 DESC, 2, 3, 4 LIMIT %s",
        [GROUPS_MAX],
    )
    return [Group(*row) for row in rows]


def standings(connection: psycopg.Connection, filters: Mapping[str, Any]) -> list[Standing]:
    """Return the league table of the matches that pass all filters (see `matches`).

    The table of a division has its own teams only, and the matches between them.

    Raises:
        ApiError: these are more matches than one table may have.
    """
    statement = sql.SQL(
        "SELECT h.id, h.name, a.id, a.name, m.status IN ('completed', 'forfeit'),"
        " m.home_score, m.away_score {tables} WHERE {conditions}"
        " ORDER BY m.match_date, m.kickoff, m.id LIMIT %(limit)s"
    ).format(tables=_FROM, conditions=_where(filters))
    teams: set[Team] = set()
    played: list[FinalScore] = []
    rows = connection.execute(statement, {**filters, "limit": TABLE_MATCHES_MAX + 1}).fetchall()
    if len(rows) > TABLE_MATCHES_MAX:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "too_many_matches",
            f"These are more than {TABLE_MATCHES_MAX:,} matches; ask for the table of one league or"
            " division.",
        )
    own = _members(connection, filters)
    for home_id, home_name, away_id, away_name, over, home_score, away_score in rows:
        if own is not None and not {home_id, away_id} <= own:
            continue
        home, away = Team(home_id, home_name), Team(away_id, away_name)
        teams |= {home, away}
        if over:
            played.append(FinalScore(home, away, home_score, away_score))
    return league_table(played, teams)


def _members(connection: psycopg.Connection, filters: Mapping[str, Any]) -> set[int] | None:
    """The teams of the division that the filters name; None if they name none."""
    division = filters.get("division")
    if division is None:
        return None
    others = {name: value for name, value in filters.items() if name != "division"}
    statement = sql.SQL(
        "SELECT side.team, coalesce(m.division, ''), count(*) {tables}"
        " CROSS JOIN LATERAL (VALUES (h.id), (a.id)) AS side (team)"
        " WHERE {conditions} GROUP BY 1, 2"
    ).format(tables=_FROM, conditions=_where(others))
    return members(connection.execute(statement, others), division)


def _where(filters: Mapping[str, Any], *more: sql.SQL) -> sql.Composed:
    conditions = [_CONDITIONS[name] for name, value in filters.items() if value is not None]
    return sql.SQL(" AND ").join([_SHOWN, *conditions, *more])


def _matches(
    connection: psycopg.Connection,
    filters: Mapping[str, Any],
    *more: sql.SQL,
    order: sql.SQL,
    limit: int,
) -> list[StoredMatch]:
    statement = sql.SQL(
        "SELECT {columns} {tables} WHERE {conditions} ORDER BY {order} LIMIT %(limit)s"
    ).format(columns=_COLUMNS, tables=_FROM, conditions=_where(filters, *more), order=order)
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(statement, {**filters, "limit": limit})
        return [StoredMatch.model_validate(row) for row in cursor]
