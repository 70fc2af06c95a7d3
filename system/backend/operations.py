"""What an operator may change by hand: join two matches that are one, and free a frozen one.

Each change is one transaction, and leaves a line in the table `interventions`: what was done, why,
and how the row was before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from system.backend import merge, rows
from system.backend.rows import StoredMatch
from system.errors import PipelineError

LISTED_MAX = 1000

_SIDES: LiteralString = """
    JOIN teams {0}h ON {0}h.id = {0}.home_team_id JOIN teams {0}a ON {0}a.id = {0}.away_team_id"""

DUPLICATES: LiteralString = f"""
SELECT one.id, one.external_match_id AS number, one.match_date AS day, one.age_group,
    oneh.name || ' v ' || onea.name AS teams, two.id AS other_id,
    two.external_match_id AS other_number, two.match_date AS other_day,
    twoh.name || ' v ' || twoa.name AS other_teams
FROM possible_duplicates d
JOIN matches one ON one.id = d.match_id {_SIDES.format("one")}
JOIN matches two ON two.id = d.other_id {_SIDES.format("two")}
WHERE one.merged_into IS NULL AND two.merged_into IS NULL
ORDER BY one.match_date, one.id, two.id LIMIT %s
"""  # noqa: S608 - put together from constants of this page only

_RECORD: LiteralString = (
    "INSERT INTO interventions (action, match_id, reason, before) VALUES (%s, %s, %s, %s)"
)


class OperationError(PipelineError):
    """What an operator asked for makes no sense; the text says why."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two stored matches that may be one: the later of them, and the `other_` one."""

    id: int
    number: str | None
    day: date
    age_group: str
    teams: str
    other_id: int
    other_number: str | None
    other_day: date
    other_teams: str


def duplicates(connection: psycopg.Connection) -> list[Pair]:
    """Return the pairs that the store could not tell apart, LISTED_MAX at most, by day."""
    with connection.cursor(row_factory=class_row(Pair)) as cursor:
        return cursor.execute(DUPLICATES, [LISTED_MAX]).fetchall()


def join(connection: psycopg.Connection, keep: int, other: int, reason: str) -> None:
    """Make one match of two: `other` becomes a part of `keep`, with all of its keys.

    Each field shows what was said last of either. Messages about either of them go to `keep` from
    now on; their receipts stay as they are.

    Raises:
        OperationError: they are not two matches of one age group.
    """
    with connection.transaction():
        found = {each.id: each for each in rows.lock(connection, sorted({keep, other}))}
        if len(found) < 2:
            missing = next(iter({keep, other} - found.keys()), keep)
            raise OperationError(
                "two different matches are needed that are not merged yet; GET"
                f" /api/matches/{missing} shows what it is now"
            )
        kept, gone = found[keep], found[other]
        if kept.row.shown["age_group"] != gone.row.shown["age_group"]:
            raise OperationError("they are of two age groups, so they are two matches")
        _record(connection, "merge", gone, reason)
        _record(connection, "merge", kept, reason)
        rows.join(connection, gone=other, kept=keep)
        kept.row = merge.join(kept.row, gone.row)
        kept.identity = kept.row.number or kept.identity
        kept.teams, kept.changed = None, True
        rows.write(connection, [kept], {})


def unfreeze(connection: psycopg.Connection, match_id: int, reason: str, now: datetime) -> int:
    """Let newer observations change a match again whose newest one is from the future.

    What it shows stays until then; its age becomes `now`.

    Returns:
        By how many seconds its newest observation was ahead.

    Raises:
        OperationError: there is no such match, or nothing of it is from the future.
    """
    with connection.transaction():
        found = rows.lock(connection, [match_id])
        if not found:
            raise OperationError(f"there is no match {match_id}")
        (match,) = found
        row = match.row
        ahead = max([row.stamp[0], *(at for _, at, _ in row.ranks.values())]) - now
        if ahead.total_seconds() <= 0:
            raise OperationError(
                f"match {match_id} is not frozen: its newest observation is of"
                f" {row.stamp[0]:%Y-%m-%d %H:%M:%S} UTC, so a newer one changes it"
            )
        _record(connection, "unfreeze", match, reason)
        match.row = replace(
            row,
            stamp=(min(row.stamp[0], now), row.stamp[1]),
            ranks={
                name: (strength, min(at, now), message_id)
                for name, (strength, at, message_id) in row.ranks.items()
            },
        )
        rows.write(connection, [match], {})
    return round(ahead.total_seconds())


def _record(connection: psycopg.Connection, action: str, match: StoredMatch, reason: str) -> None:
    stamp = match.row.stamp
    before = {
        "identity": match.identity,
        **match.row.shown,
        "observed_at": stamp[0],
        "message_id": stamp[1],
        "ranks": merge.ranks_as_json(match.row),
    }
    connection.execute(_RECORD, [action, match.id, reason, json.dumps(before, default=str)])
