"""Teams, matches, and the receipts of the messages that shaped them."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

UP = """
-- A team is its name within league, age group and division; where these are not known, null.
CREATE TABLE teams (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name        text NOT NULL,
    league      text,
    age_group   text NOT NULL,
    division    text,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX teams_name
    ON teams (name, age_group, coalesce(league, ''), coalesce(division, ''));

CREATE TABLE matches (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity           text COLLATE "C" NOT NULL CONSTRAINT matches_identity UNIQUE,
    external_match_id  text,
    home_team_id       bigint NOT NULL REFERENCES teams (id),
    away_team_id       bigint NOT NULL REFERENCES teams (id),
    match_date         date NOT NULL,
    match_time         time,            -- as the league prints it, US Eastern
    kickoff            timestamptz,     -- the same in UTC
    season             text NOT NULL,
    age_group          text NOT NULL,
    league             text,
    division           text,
    division_id        integer,
    match_type         text NOT NULL,
    status             text NOT NULL,
    home_score         smallint,
    away_score         smallint,
    location           text,
    notes              text,
    source             text,
    -- The observation that the row shows: newest wins by these two, so message ids are compared
    -- byte by byte, the same on every machine.
    observed_at        timestamptz NOT NULL,
    message_id         text COLLATE "C" NOT NULL,
    -- The messages that made the row and that last changed something a reader can see.
    created_by         text COLLATE "C" NOT NULL,
    changed_by         text COLLATE "C" NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    CONSTRAINT matches_two_teams CHECK (home_team_id <> away_team_id),
    CONSTRAINT matches_scores_not_negative CHECK (home_score >= 0 AND away_score >= 0),
    CONSTRAINT matches_scores_both_or_neither CHECK ((home_score IS NULL) = (away_score IS NULL)),
    CONSTRAINT matches_status_known CHECK (status IN
        ('scheduled', 'tbd', 'live', 'completed', 'postponed', 'cancelled', 'forfeit')),
    CONSTRAINT matches_over_has_scores CHECK
        (status NOT IN ('completed', 'forfeit') OR home_score IS NOT NULL)
);
CREATE INDEX matches_table ON matches (season, age_group, league, division, match_date);
CREATE INDEX matches_day ON matches (match_date);
CREATE INDEX matches_home_team ON matches (home_team_id);
CREATE INDEX matches_away_team ON matches (away_team_id);

-- Written once, in the transaction of the change itself, and never touched again.
CREATE TABLE receipts (
    message_id     text COLLATE "C" CONSTRAINT receipts_message PRIMARY KEY,
    seq            bigint GENERATED ALWAYS AS IDENTITY,
    xid            xid8 NOT NULL DEFAULT pg_current_xact_id(),
    identity       text COLLATE "C" NOT NULL,
    match_id       bigint NOT NULL REFERENCES matches (id),
    effect         text NOT NULL CONSTRAINT receipts_effect_known
                   CHECK (effect IN ('created', 'updated', 'unchanged', 'stale')),
    way            text NOT NULL,
    attempt        integer NOT NULL,
    observed_at    timestamptz NOT NULL,
    observed_from  text NOT NULL,
    published_at   timestamptz,
    received_at    timestamptz NOT NULL,
    committed_at   timestamptz NOT NULL
);
-- The order in which receipts are read; see system/backend/receipts.py.
CREATE UNIQUE INDEX receipts_order ON receipts (xid, seq);
"""


def upgrade() -> None:
    """Create the three tables."""
    op.execute(UP)
