"""The SQL that changes matches; `store` runs it, and `merge` decides what it writes.

The statements are constants so that an experiment can weaken one and watch what breaks. Those that
take rows take them as one array for each column.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

BEGIN: LiteralString = """
BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off
"""
"""All that follows looks up rows by keys, and its plans are kept: one that was made while the
tables were small would read them whole, again and again, as they grow."""

LOCK: LiteralString = """
SELECT pg_advisory_xact_lock(hashtextextended(w.key, 0)) FROM unnest(%s::text[]) AS w (key)
"""
"""Takes the locks in the order of the keys, so that two writers never wait for each other."""

LOCK_TURN: LiteralString = "SELECT pg_advisory_xact_lock(1, pg_backend_pid() % 2)"
"""One of two turns for those that take many locks: the server has room for some 6,400 in all
(`max_locks_per_transaction` times `max_connections`), and 500 new matches take 1,000."""

FIND_IDENTITIES: LiteralString = """
SELECT identity, match_id FROM identities WHERE identity = ANY(%s)
"""

FIND_ALL: LiteralString = f"""
{FIND_IDENTITIES} UNION ALL
SELECT NULL, id FROM matches WHERE meeting = ANY(%s) AND merged_into IS NULL
"""  # noqa: S608 - put together from constants of this page only
"""Also those that are at one of the meetings; without a key."""

_SHOWN: LiteralString = (
    "identity, external_match_id, match_date, match_time, season, age_group, league, division, "
    "division_id, match_type, status, home_score, away_score, location, notes, source, "
    "observed_at, message_id"
)

_COLUMNS: LiteralString = (
    "m.id, m.home_team_id, m.away_team_id, h.name AS home_team, a.name AS away_team, m.ranks, "
    f"m.{_SHOWN.replace(', ', ', m.')}"
)
_TEAMS: LiteralString = (
    "JOIN teams h ON h.id = m.home_team_id JOIN teams a ON a.id = m.away_team_id"
)

LOCK_KNOWN: LiteralString = f"""
SELECT i.identity AS key, {_COLUMNS}
FROM identities i JOIN matches m ON m.id = i.match_id {_TEAMS}
WHERE i.identity = ANY(%s) AND m.merged_into IS NULL ORDER BY m.id FOR NO KEY UPDATE OF m
"""  # noqa: S608 - put together from constants of this page only
"""A row for each key that is known, in the order of the matches: all writers lock in one order."""

LOCK_MATCHES: LiteralString = f"""
SELECT {_COLUMNS} FROM matches m {_TEAMS}
WHERE m.id = ANY(%s) AND m.merged_into IS NULL ORDER BY m.id FOR NO KEY UPDATE OF m
"""  # noqa: S608 - put together from constants of this page only
"""In the same order."""

FIND_TEAMS: LiteralString = """
SELECT w.key, w.age_group, w.league, t.id
FROM unnest(%s::text[], %s::text[], %s::text[]) AS w (key, age_group, league)
JOIN teams t ON t.key = w.key AND t.age_group = w.age_group AND coalesce(t.league, '') = w.league
"""

CREATE_TEAMS: LiteralString = """
INSERT INTO teams (key, age_group, league, name)
SELECT w.key, w.age_group, nullif(w.league, ''), w.name
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS w (key, age_group, league, name)
ON CONFLICT DO NOTHING
"""

_WRITTEN: LiteralString = f"{_SHOWN}, kickoff, meeting, ranks, home_team_id, away_team_id"
_VALUES: LiteralString = """
    %s::text[], %s::text[], %s::date[], %s::time[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::integer[], %s::text[], %s::text[], %s::smallint[], %s::smallint[], %s::text[], %s::text[],
    %s::text[], %s::timestamptz[], %s::text[], %s::timestamptz[], %s::text[], %s::jsonb[],
    %s::bigint[], %s::bigint[]"""

INSERT_MATCHES: LiteralString = f"""
WITH new AS (
    INSERT INTO matches ({_WRITTEN}, created_by, changed_by, created_at, updated_at)
    SELECT w.*, w.message_id, w.message_id, now(), now()
    FROM unnest({_VALUES}) AS w ({_WRITTEN})
    RETURNING identity, id
), keys AS (
    INSERT INTO identities (identity, match_id)
    SELECT k.key, new.id FROM unnest(%s::text[], %s::text[]) AS k (key, identity)
    JOIN new ON new.identity = k.identity
)
SELECT identity, id FROM new
"""  # noqa: S608 - put together from constants of this page only
"""With all keys that lead to them."""

UPDATE_MATCHES: LiteralString = f"""
UPDATE matches AS m SET ({_WRITTEN}) = (w.{_WRITTEN.replace(", ", ", w.")}),
    changed_by = CASE WHEN w.changed THEN w.message_id ELSE m.changed_by END,
    updated_at = CASE WHEN w.changed THEN now() ELSE m.updated_at END
FROM unnest(%s::bigint[], %s::boolean[], {_VALUES}) AS w (match_id, changed, {_WRITTEN})
WHERE m.id = w.match_id
"""  # noqa: S608 - put together from constants of this page only

INSERT_IDENTITIES: LiteralString = """
INSERT INTO identities (identity, match_id) SELECT * FROM unnest(%s::text[], %s::bigint[])
"""

INSERT_DOUBTS: LiteralString = """
INSERT INTO possible_duplicates (match_id, other_id)
SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS w (one, other) WHERE one <> other
ON CONFLICT DO NOTHING
"""

JOIN: Sequence[LiteralString] = (
    "UPDATE matches SET merged_into = %(kept)s, identity = 'merged ' || id WHERE id = %(gone)s",
    "UPDATE matches SET merged_into = %(kept)s WHERE merged_into = %(gone)s",
    "UPDATE identities SET match_id = %(kept)s WHERE match_id = %(gone)s",
    "DELETE FROM possible_duplicates WHERE %(gone)s IN (match_id, other_id)",
)
"""Make a match a part of another one. Before that one is written, which may take over its key."""

INSERT_RECEIPTS: LiteralString = """
INSERT INTO receipts (message_id, identity, match_id, effect, way, attempt, observed_at,
    observed_from, published_at, received_at, sent, committed_at)
SELECT w.*, clock_timestamp()
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::integer[],
    %s::timestamptz[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::jsonb[]) AS w
ON CONFLICT DO NOTHING
RETURNING message_id
"""
"""Returns no row for a receipt that exists already. It waits for one that another transaction is
writing, until that transaction is committed or rolled back."""

FIND_RECEIPTS: LiteralString = """
SELECT message_id, match_id FROM receipts WHERE message_id = ANY(%s)
"""
