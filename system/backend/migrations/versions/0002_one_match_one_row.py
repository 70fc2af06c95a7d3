"""One match, one row, under all of its keys; teams by name and league; fields merged one by one."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from system.contract import names

revision = "0002"
down_revision = "0001"

UP = """
-- Every key under which a match was sent: the league's number, and what its teams and day make.
CREATE TABLE identities (
    identity  text COLLATE "C" CONSTRAINT identities_identity PRIMARY KEY,
    match_id  bigint NOT NULL REFERENCES matches (id)
);
CREATE INDEX identities_match ON identities (match_id);
INSERT INTO identities SELECT identity, id FROM matches;

ALTER TABLE matches
    -- Two teams of an age on a day, whoever is at home; see system/backend/merge.py.
    ADD COLUMN meeting text COLLATE "C",
    -- Which statement each field shows, where that is not the newest observation.
    ADD COLUMN ranks jsonb NOT NULL DEFAULT '{}',
    -- The row that this one turned out to be, once an operator says so. Nobody sees it any more.
    ADD COLUMN merged_into bigint REFERENCES matches (id);
UPDATE matches m SET meeting = concat_ws(chr(31), m.age_group, m.match_date,
    least(h.key COLLATE "C", a.key COLLATE "C"), greatest(h.key COLLATE "C", a.key COLLATE "C"))
FROM teams h, teams a WHERE h.id = m.home_team_id AND a.id = m.away_team_id;
ALTER TABLE matches ALTER COLUMN meeting SET NOT NULL;
CREATE INDEX matches_meeting ON matches (meeting);
UPDATE matches SET home_score = NULL, away_score = NULL
WHERE status IN ('scheduled', 'tbd', 'postponed', 'cancelled');

-- What looks like another match and could not be told from it.
CREATE TABLE possible_duplicates (
    match_id    bigint NOT NULL REFERENCES matches (id),
    other_id    bigint NOT NULL REFERENCES matches (id),
    noticed_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT possible_duplicates_once PRIMARY KEY (match_id, other_id)
);
CREATE INDEX possible_duplicates_other ON possible_duplicates (other_id);
-- A number that the earlier senders made up, another one every day, tells nothing.
UPDATE matches SET external_match_id = NULL
WHERE external_match_id ~ '^U[0-9]{1,2}_.*_[0-9]+_[0-9]{8}$';
-- Until now a match was two, if it was sent with its number and without. The first one that each
-- may be is enough: merged with that one, it is one with the others too.
INSERT INTO possible_duplicates (match_id, other_id)
SELECT m.id, min(o.id) FROM matches m JOIN matches o ON o.meeting = m.meeting AND o.id < m.id
    AND lower(o.match_type) = lower(m.match_type)
    AND (o.external_match_id IS NULL OR m.external_match_id IS NULL)
    AND (o.league IS NULL OR m.league IS NULL OR o.league = m.league)
    AND (o.division IS NULL OR m.division IS NULL OR o.division = m.division)
GROUP BY m.id;

-- What operators changed by hand, and why.
CREATE TABLE interventions (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT now(),
    action    text NOT NULL,
    match_id  bigint NOT NULL REFERENCES matches (id),
    reason    text NOT NULL,
    before    jsonb NOT NULL
);

ALTER TABLE receipts
    ADD COLUMN sent jsonb,  -- what the message said otherwise than the match shows
    DROP CONSTRAINT receipts_effect_known,
    ADD CONSTRAINT receipts_effect_known
        CHECK (effect IN ('created', 'updated', 'unchanged', 'filled', 'stale'));
"""

# A division belongs to the match: a team that visits another one does not become a second team.
TEAMS_UP = """
UPDATE matches m SET home_team_id = t.kept FROM _same t
WHERE m.home_team_id = t.id AND t.kept <> t.id;
UPDATE matches m SET away_team_id = t.kept FROM _same t
WHERE m.away_team_id = t.id AND t.kept <> t.id;
DELETE FROM teams WHERE id IN (SELECT id FROM _same WHERE id <> kept);
DROP TABLE _same;
DROP INDEX teams_name;
ALTER TABLE teams ALTER COLUMN key SET NOT NULL, DROP COLUMN division;
CREATE UNIQUE INDEX teams_key ON teams (key, age_group, coalesce(league, ''));
"""


def upgrade() -> None:
    """Name the teams anew, then the rest."""
    connection = op.get_bind()
    op.execute('ALTER TABLE teams ADD COLUMN key text COLLATE "C"')
    rows = connection.execute(text("SELECT id, name FROM teams")).all()
    teams: dict[int, str] = {row.id: row.name for row in rows}
    met = connection.execute(text("SELECT DISTINCT home_team_id, away_team_id FROM matches"))
    # Two names that are one team from now on, but played each other: then they are two.
    two = {
        team
        for pair in met
        if len({names.key(names.team(teams[team])) for team in pair}) == 1
        for team in pair
    }
    for id_, name in teams.items():
        usual = names.clean(name) if id_ in two else names.team(name)
        connection.execute(
            text("UPDATE teams SET name = :name, key = :key WHERE id = :id"),
            {"name": usual, "key": names.key(usual), "id": id_},
        )
    op.execute(
        "CREATE TEMPORARY TABLE _same AS SELECT id, min(id) OVER"
        " (PARTITION BY key, age_group, coalesce(league, '')) AS kept FROM teams"
    )
    op.execute(TEAMS_UP)
    op.execute(UP)
