"""Messages for tests: a plain match with what matters for the test changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from system.backend import store
from system.contract.submission import Effect, Outcome, Submission

EVENING = datetime(2025, 10, 18, 22, tzinfo=UTC)  # MATCH is over
RECEIVED = EVENING + timedelta(days=1)
MATCH: dict[str, Any] = {
    "home_team": "NEFC",
    "away_team": "Bayside FC",
    "match_date": "2025-10-18",
    "match_time": "10:00",
    "season": "2025-26",
    "age_group": "U14",
    "match_type": "League",
    "league": "Homegrown",
    "division": "Northeast",
    "external_match_id": "101201",
}


def message(message_id: str, *, minute: float = 0, **fields: Any) -> Submission:
    """A message about MATCH with `fields` changed, seen `minute` minutes after EVENING."""
    seen = (EVENING + timedelta(minutes=minute)).isoformat()
    return Submission(message_id=message_id, match={**MATCH, "observed_at": seen, **fields})


def submit(connection: psycopg.Connection, *messages: Submission) -> list[Outcome]:
    """Submit these in one batch that came in at RECEIVED."""
    return store.submit(connection, messages, received_at=RECEIVED)


def effects(connection: psycopg.Connection, *messages: Submission) -> list[Effect]:
    """Submit these in one batch; return only what they did."""
    return [outcome.effect for outcome in submit(connection, *messages)]


def score(connection: psycopg.Connection, identity: str = MATCH["external_match_id"]) -> Any:
    """The stored score of a match."""
    return connection.execute(
        "SELECT home_score, away_score FROM matches WHERE identity = %s", [identity]
    ).fetchone()
