"""What another library's worker does with a message: two statements in one transaction.

The tables have the columns of the pipeline's own receipts and matches, and the indexes that these
two statements need. They lack what only the pipeline does: teams of their own rows, more keys for a
match, its fields merged one by one, indexes for those who read. Nor is a message checked here. All
of that speaks for the other libraries.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any

SCHEMA = "bench"
CREATE = f"""
CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.matches (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity           text COLLATE "C" NOT NULL UNIQUE,
    home_team          text NOT NULL,
    away_team          text NOT NULL,
    match_date         date NOT NULL,
    match_time         time,
    season             text NOT NULL,
    age_group          text NOT NULL,
    league             text,
    division           text,
    match_type         text NOT NULL,
    status             text NOT NULL,
    home_score         smallint,
    away_score         smallint,
    location           text,
    source             text,
    observed_at        timestamptz NOT NULL,
    message_id         text COLLATE "C" NOT NULL,
    updated_at         timestamptz NOT NULL
);
CREATE TABLE {SCHEMA}.receipts (
    message_id     text COLLATE "C" PRIMARY KEY,
    identity       text COLLATE "C" NOT NULL,
    observed_at    timestamptz NOT NULL,
    published_at   timestamptz NOT NULL,
    received_at    timestamptz NOT NULL,
    committed_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""
_COLUMNS = (
    *("identity", "home_team", "away_team", "match_date", "match_time", "season", "age_group"),
    *("league", "division", "match_type", "status", "home_score", "away_score", "location"),
    *("source", "observed_at", "message_id"),
)
_RECEIPT = ("message_id", "identity", "observed_at", "published_at", "received_at")


def _placed(count: int, *, numbered: bool) -> str:
    return ", ".join(f"${at}" if numbered else "%s" for at in range(1, count + 1))


def receipt_statement(*, numbered: bool) -> str:
    """The statement for a receipt; it writes no row if there is one already.

    Args:
        numbered: `$1` as asyncpg takes it, else `%s` as psycopg does.
    """
    return (  # put together from constants of this page only
        f"INSERT INTO {SCHEMA}.receipts ({', '.join(_RECEIPT)})"  # noqa: S608
        f" VALUES ({_placed(len(_RECEIPT), numbered=numbered)}) ON CONFLICT DO NOTHING"
    )


def match_statement(*, numbered: bool) -> str:
    """The statement for a match: a newer observation takes the place of an older one."""
    taken = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
    return (
        f"INSERT INTO {SCHEMA}.matches AS m ({', '.join(_COLUMNS)}, updated_at)"  # noqa: S608
        f" VALUES ({_placed(len(_COLUMNS), numbered=numbered)}, now())"
        f" ON CONFLICT (identity) DO UPDATE SET {taken}, updated_at = now()"
        " WHERE (excluded.observed_at, excluded.message_id) > (m.observed_at, m.message_id)"
    )


def receipt_row(message_id: str, published_at: str, match: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of `receipt_statement`."""
    return (
        message_id,
        match["external_match_id"],
        datetime.fromisoformat(match["observed_at"]),
        datetime.fromisoformat(published_at),
        datetime.now(UTC),
    )


def match_row(message_id: str, match: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of `match_statement`."""
    return (
        *(match["external_match_id"], match["home_team"], match["away_team"]),
        date.fromisoformat(match["match_date"]),
        time.fromisoformat(match["match_time"]),
        *(match["season"], match["age_group"], match["league"], match["division"]),
        *(match["match_type"], match["match_status"], match["home_score"], match["away_score"]),
        *(match["location"], match["source"], datetime.fromisoformat(match["observed_at"])),
        message_id,
    )
