"""The SQL that changes matches; `store` runs it.

The statements are constants so that an experiment can weaken one and watch what breaks, for example
`UPSERT_MATCHES.replace(NEWEST_WINS, "")`. Each takes its rows as one array for each column.
"""

from __future__ import annotations

from typing import LiteralString

FIND_TEAMS: LiteralString = """
SELECT w.name, w.age_group, w.league, w.division, t.id
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
     AS w (name, age_group, league, division)
JOIN teams t ON t.name = w.name AND t.age_group = w.age_group
     AND coalesce(t.league, '') = w.league AND coalesce(t.division, '') = w.division
"""

CREATE_TEAMS: LiteralString = """
INSERT INTO teams (name, age_group, league, division)
SELECT w.name, w.age_group, nullif(w.league, ''), nullif(w.division, '')
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[])
     AS w (name, age_group, league, division)
ON CONFLICT DO NOTHING
"""

NEWEST_WINS: LiteralString = (
    "WHERE (excluded.observed_at, excluded.message_id) > (m.observed_at, m.message_id)"
)

# What a reader can see of a match; the newest observation replaces all of it.
_SHOWN: LiteralString = (
    "external_match_id, home_team_id, away_team_id, match_date, match_time, kickoff, season, "
    "age_group, league, division, division_id, match_type, status, home_score, away_score, "
    "location, notes, source"
)
_BEFORE: LiteralString = "m." + _SHOWN.replace(", ", ", m.")
_NOW: LiteralString = "excluded." + _SHOWN.replace(", ", ", excluded.")
_CHANGED: LiteralString = f"({_BEFORE}) IS DISTINCT FROM ({_NOW})"

UPSERT_MATCHES: LiteralString = f"""
INSERT INTO matches AS m (identity, observed_at, message_id, {_SHOWN},
    created_by, changed_by, created_at, updated_at)
SELECT w.*, w.message_id, w.message_id, now(), now()
FROM unnest(%s::text[], %s::timestamptz[], %s::text[],
    %s::text[], %s::bigint[], %s::bigint[], %s::date[], %s::time[], %s::timestamptz[], %s::text[],
    %s::text[], %s::text[], %s::text[], %s::integer[], %s::text[], %s::text[], %s::smallint[],
    %s::smallint[], %s::text[], %s::text[], %s::text[])
    AS w (identity, observed_at, message_id, {_SHOWN})
ON CONFLICT (identity) DO UPDATE SET
    (observed_at, message_id, {_SHOWN}) = (excluded.observed_at, excluded.message_id, {_NOW}),
    changed_by = CASE WHEN {_CHANGED} THEN excluded.message_id ELSE m.changed_by END,
    updated_at = CASE WHEN {_CHANGED} THEN now() ELSE m.updated_at END
{NEWEST_WINS}
RETURNING m.identity, m.id, CASE m.message_id
    WHEN m.created_by THEN 'created' WHEN m.changed_by THEN 'updated' ELSE 'unchanged' END
"""  # noqa: S608 - put together from constants of this page only
"""Returns no row for a match that is newer already: the message is stale."""

FIND_MATCHES: LiteralString = "SELECT identity, id FROM matches WHERE identity = ANY(%s)"

INSERT_RECEIPTS: LiteralString = """
INSERT INTO receipts (message_id, identity, match_id, effect, way, attempt, observed_at,
    observed_from, published_at, received_at, committed_at)
SELECT w.*, clock_timestamp()
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::text[], %s::integer[],
    %s::timestamptz[], %s::text[], %s::timestamptz[], %s::timestamptz[]) AS w
ON CONFLICT DO NOTHING
RETURNING message_id
"""
"""Returns no row for a receipt that exists already. It waits for one that another transaction is
writing, until that transaction is committed or rolled back."""

FIND_RECEIPTS: LiteralString = """
SELECT message_id, match_id FROM receipts WHERE message_id = ANY(%s)
"""
