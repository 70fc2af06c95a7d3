"""Test drivers: they send messages by the queue, by HTTP, and to the task that only validates.

They also read the results: receipts and matches from the database itself, which answers while the
API is unavailable, and the workers' log lines.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

import psycopg
import urllib3
from psycopg.rows import dict_row

from lab.clients import amqp
from lab.experiment.lab import PLAIN_MATCH, Lab
from lab.substrates.plan import Role
from lab.wait import eventually
from scenarios.support import hello
from system.contract.envelope import (
    PROCESS_TASK,
    VALIDATE_TASK,
    new_message_id,
)
from system.contract.topology import PROCESS_QUEUE, VALIDATE_QUEUE

WITHIN_S = 120.0
"""For everything that is a matter of a second on a quiet machine."""
HTTP_S = urllib3.Timeout(connect=20, read=60)

PLAIN: dict[str, Any] = {
    **PLAIN_MATCH,
    "match_time": "10:00",
    "home_score": 2,
    "away_score": 1,
    "match_status": "completed",
    "observed_at": "2025-10-18T16:00:00Z",
}
"""A completed match that keeps the contract."""

Message = tuple[str, Mapping[str, Any]]
"""A message id, and a match that may be of any shape."""


@dataclass(frozen=True, slots=True)
class AttemptLine:
    """A worker's log line about one attempt.

    Attributes:
        worker: the name of its log, without the ending.
        at: when.
        event: `applied` or `failed`.
        effect: if it was applied.
        error, decision: if it failed, and what became of the message.
    """

    worker: str
    at: datetime
    event: str
    message_id: str
    attempt: int
    effect: str = ""
    error: str = ""
    decision: str = ""


def send_by_queue(lab: Lab, messages: Iterable[Message], *, wants_result: bool = False) -> None:
    """Publish for `process_match_data`; return once the broker has confirmed all of them.

    Args:
        lab: where to.
        messages: in this order, on one channel.
        wants_result: what the sender asks for; a match has no result anyway.
    """
    written = (hello.request(PROCESS_TASK, *each, wants_result=wants_result) for each in messages)
    amqp.publish(lab.endpoints.broker_urls["scraper"], written, key=PROCESS_QUEUE)


def send_by_http(lab: Lab, message: Message) -> tuple[int, dict[str, Any]]:
    """POST one message to the API; return the status and the answer."""
    response = urllib3.request(
        "POST",
        f"{lab.endpoints.api_url}/api/matches",
        json={"message_id": message[0], "match": message[1]},
        # The API ends a connection that was idle for seconds, and on the way into a cluster its
        # caller hears of that a second later: a request that is sent meanwhile is lost.
        headers={"Authorization": f"Bearer {lab.endpoints.api_token}", "Connection": "close"},
        timeout=HTTP_S,
        retries=False,
    )
    return response.status, dict(response.json())


def validate(lab: Lab, matches: Sequence[Any]) -> list[dict[str, Any]]:
    """The answers of `validate_match_data`, as its callers read them: from Redis."""
    asked = [hello.request(VALIDATE_TASK, new_message_id(), match) for match in matches]
    amqp.publish(lab.endpoints.broker_urls["scraper"], asked, key=VALIDATE_QUEUE)
    ids = [envelope.message_id for envelope in asked]
    hello.wait_for(lab, ids, within_s=WITHIN_S)
    with hello.results(lab) as client:
        kept = [json.loads(str(client.get(hello.key(message_id)))) for message_id in ids]
    return [dict(answer["result"]) for answer in kept]


def rows(lab: Lab, statement: LiteralString, *values: Any) -> list[dict[str, Any]]:
    """The rows that a statement gives, from the database itself."""
    with (
        psycopg.connect(
            lab.endpoints.database_url, connect_timeout=20, options="-c statement_timeout=60000"
        ) as connection,
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        return list(cursor.execute(statement, values))


def receipts(lab: Lab, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Every receipt of these messages, in the order in which they were written."""
    return rows(lab, "SELECT * FROM receipts WHERE message_id = ANY(%s) ORDER BY seq", list(ids))


def matches(lab: Lab, pattern: str) -> list[dict[str, Any]]:
    """Stored matches one of whose identities is LIKE `pattern`, with the names of their teams."""
    return rows(
        lab,
        "SELECT h.name AS home_team, a.name AS away_team, m.* FROM matches m"
        " JOIN teams h ON h.id = m.home_team_id JOIN teams a ON a.id = m.away_team_id"
        " WHERE m.id IN (SELECT match_id FROM identities WHERE identity LIKE %s)"
        " ORDER BY identity",
        pattern,
    )


def wait_for_receipts(lab: Lab, ids: Sequence[str], *, within_s: float = WITHIN_S) -> None:
    """Wait until each of these messages has taken effect."""
    eventually(
        f"the receipts of {len(ids)} messages",
        lambda: {receipt["message_id"] for receipt in receipts(lab, ids)} == set(ids),
        within_s=within_s,
        every_s=0.1,
    )


def log_lines(lab: Lab, ids: Iterable[str], event: str = "applied") -> list[AttemptLine]:
    """The workers' log lines about these messages, oldest first."""
    wanted = set(ids)
    lines = []
    for log in lab.substrate.logs(Role.WORKER):
        for text in log.text().splitlines():
            # The last line may be incomplete.
            if '"message_id"' in text and text.endswith("}"):
                entry = json.loads(text)
                if entry.get("event") == event and entry["message_id"] in wanted:
                    lines.append(_line(log.name, entry))
    return sorted(lines, key=lambda each: each.at)


def wait_for_log_lines(
    lab: Lab, ids: Sequence[str], count: int, event: str = "applied", *, within_s: float = WITHIN_S
) -> list[AttemptLine]:
    """Wait until the workers have written `count` such lines about these messages."""
    return eventually(
        f"{count} lines {event!r} of the workers",
        lambda: found if len(found := log_lines(lab, ids, event)) >= count else [],
        within_s=within_s,
        every_s=0.1,
    )


def dead_letters(
    lab: Lab, ids: Sequence[str], *, within_s: float = WITHIN_S
) -> dict[str, amqp.DeadLetter]:
    """The dead letters of these messages, by id, once all of them are there."""

    def look() -> dict[str, amqp.DeadLetter]:
        there = amqp.dead_letters(lab.endpoints.broker_urls["operator"])
        found = {letter.message_id: letter for letter in there if letter.message_id in wanted}
        return found if found.keys() == wanted else {}

    wanted = set(ids)
    return eventually(f"{len(ids)} dead letters", look, within_s=within_s, every_s=0.2)


def _line(worker: str, entry: Mapping[str, Any]) -> AttemptLine:
    return AttemptLine(
        worker,
        datetime.fromisoformat(entry["timestamp"]),
        entry["event"],
        entry["message_id"],
        int(entry["attempt"]),
        str(entry.get("effect", "")),
        str(entry.get("error", "")),
        str(entry.get("decision", "")),
    )
