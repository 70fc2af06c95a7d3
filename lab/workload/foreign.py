"""Foreign messages: those of the earlier system's programs, and broken ones.

Beside the scraper's messages, a real queue gets messages in the earlier system's format, and now
and then one that is useless. The lab sends both on purpose, with the outcome of each known before.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lab.clients import amqp
from lab.history.ledger import Ledger
from lab.workload import earlier
from system.contract import names, observation
from system.contract.envelope import wrap_arguments
from system.contract.topology import EXCHANGE, FANOUT_EXCHANGE, PROCESS_QUEUE

EFFECT, DEAD_LETTER = "effect", "dead-letter"
_JSON = {"content_type": "application/json", "content_encoding": "utf-8"}


@dataclass(frozen=True, slots=True)
class ForeignMessage:
    """A message of a sender other than the scraper.

    Attributes:
        kind: what is special about it, in words.
        expect: `effect` or `dead-letter`.
        match: its content, if it has a readable one.
        exchange, key: where its sender publishes.
    """

    kind: str
    expect: str
    message_id: str
    body: bytes
    properties: Mapping[str, Any]
    match: Mapping[str, Any] | None = None
    exchange: str = EXCHANGE
    key: str = PROCESS_QUEUE


def messages(rng: random.Random, ordinal: int) -> Iterator[ForeignMessage]:
    """The foreign messages of one round: a few of the earlier system, and one of each broken kind.

    Args:
        rng: seeded, so that a run can be repeated.
        ordinal: the round; it makes the matches of each round new ones.
    """
    for number in range(3):
        match = _legacy_match(ordinal, number)
        yield legacy(rng, "earlier system", EFFECT, match)
    good = _legacy_match(ordinal, 9)
    breaking: dict[str, dict[str, Any]] = {
        "a team against itself": {"away_team": good["home_team"]},
        "a negative score": {"home_score": -1},
        "a score as text": {"home_score": "3"},
        "an unknown field": {"referee": "nobody knows"},
        "completed without a score": {"home_score": None, "away_score": None},
        "a time that does not exist": {"match_time": "99:99"},
    }
    for kind, change in breaking.items():
        yield legacy(rng, kind, DEAD_LETTER, {**good, **change})
    yield _raw(rng, "bytes that are no JSON", b"\xff\xfe not json", _JSON)
    yield _raw(rng, "another content type", b"<match/>", {"content_type": "text/xml"})
    yield _raw(rng, "neither task nor body", b"[]", _JSON)
    unknown = wrap_arguments(
        [good],
        {},
        message_id=_new_id(rng),
        published_at=datetime.now(UTC),
        task="somebody.elses.task",
    )
    yield ForeignMessage(
        "a task nobody knows",
        DEAD_LETTER,
        unknown.message_id,
        unknown.body,
        {**_JSON, "headers": dict(unknown.headers), "message_id": unknown.message_id},
    )


def skipped_by_clocks(rng: random.Random, count: int = 3) -> Iterator[ForeignMessage]:
    """Matches that begin in the hour which the night of 9 March 2025 does not have.

    Args:
        rng: seeded, so that a run can be repeated.
        count: how many.
    """
    for number in range(count):
        match = _legacy_match(0, number)
        match |= {
            "season": "2024-25",
            "match_date": "2025-03-09",
            "match_time": f"02:{10 * number:02d}",
            "external_match_id": f"skipped-{number}",
        }
        yield legacy(rng, "a kickoff that no clock shows", DEAD_LETTER, match)


def send(message: ForeignMessage, url: str, ledger: Ledger) -> None:
    """Send one, and record the attempt before it and the confirm after it."""
    now = datetime.now(UTC).isoformat()
    ledger.attempt(
        message_id=message.message_id,
        identity="" if message.match is None else _identity(message.match),
        published_at=now,
        observed_at=now,
        sender="legacy" if message.expect == EFFECT else "broken",
        expect=message.expect,
        kind=message.kind,
    )
    with amqp.channel(url) as on:
        on.confirm_delivery()
        amqp.send(
            on,
            message.body,
            exchange=message.exchange,
            key=message.key,
            properties=message.properties,
        )
    ledger.accept(message.message_id, "queue")


def legacy(rng: random.Random, kind: str, expect: str, match: dict[str, Any]) -> ForeignMessage:
    """In the earlier system's format and to its exchange: see `earlier`."""
    message_id = _new_id(rng)
    body = earlier.body(match, message_id)
    return ForeignMessage(kind, expect, message_id, body, _JSON, match, FANOUT_EXCHANGE, "")


def _raw(
    rng: random.Random, kind: str, body: bytes, properties: Mapping[str, Any]
) -> ForeignMessage:
    message_id = _new_id(rng)
    return ForeignMessage(
        kind, DEAD_LETTER, message_id, body, {**properties, "message_id": message_id}
    )


def _legacy_match(ordinal: int, number: int) -> dict[str, Any]:
    """A match with the earlier system's fields: no `observed_at`, but source and division."""
    return {
        "home_team": "Bayside FC",
        "away_team": "Seacoast United",
        "match_date": (date(2025, 9, 6) + timedelta(days=7 * ordinal + number)).isoformat(),
        "match_time": "10:00",
        "season": "2025-26",
        "age_group": "U14",
        "match_type": "Friendly",
        "division": "Northeast",
        "division_id": 41,
        "league": "Homegrown",
        "home_score": number,
        "away_score": 1,
        "match_status": "completed",
        "external_match_id": f"legacy-{ordinal}-{number}",
        "location": "Field 3",
        "source": "legacy-feed",
    }


def _identity(match: Mapping[str, Any]) -> str:
    if number := names.number(match.get("external_match_id") or ""):
        return number
    now = datetime.now(UTC)
    return observation.read(match, published_at=None, arrived_at=now).match.identity


def _new_id(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
