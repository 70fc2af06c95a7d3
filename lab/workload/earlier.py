"""The earlier system's sender, rebuilt from what is known of it: names, declarations, fields.

It publishes by pika on a new connection for each match: task protocol 1 in the body, no headers, no
message id, not `mandatory`, not confirmed. So it says "submitted" whatever becomes of the message.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

import pika

from lab.clients import amqp
from system.contract.envelope import LEGACY_TASKS, PROCESS_TASK
from system.contract.topology import FANOUT_EXCHANGE

TASK = next(name for name, task in LEGACY_TASKS.items() if task == PROCESS_TASK)

SEASON = "2024-25"
"""What it writes as the season of every match, for good; what is stored follows from the date."""


def match(number: int, **changes: Any) -> dict[str, Any]:
    """A match with its set of fields: nothing says when it was seen, `source` is its own name."""
    return {
        "home_team": "Bayside FC",
        "away_team": "Seacoast United",
        "match_date": f"2025-11-{1 + number % 28:02}",
        "season": SEASON,
        "age_group": "U14",
        "match_type": "League",
        "match_time": "10:00",
        "division": "Northeast",
        "division_id": 41,
        "league": "Homegrown",
        "home_score": 2,
        "away_score": 1,
        "match_status": "completed",
        "external_match_id": f"earlier-{number}",
        "location": "Field 3",
        "notes": None,
        "source": "match-scraper",
        **changes,
    }


def body(match: Mapping[str, Any], message_id: str) -> bytes:
    """Its message: everything, the id too, is in the body."""
    content = {
        "id": message_id,
        "task": TASK,
        "args": [match],
        "kwargs": {},
        "retries": 0,
        "eta": None,
        "expires": None,
    }
    return json.dumps(content).encode()


def submit(
    url: str, match: Mapping[str, Any], *, exchange: str = FANOUT_EXCHANGE, key: str = ""
) -> str:
    """Send one match as it does, and return the id that it reports as submitted.

    It declares its exchange first, as it did where it was first to come.

    Raises:
        amqp.BrokerSilent: the broker cannot be reached, or refuses the login.
        pika.exceptions.AMQPError: it refuses the declaration.
    """
    message_id = str(uuid.uuid4())
    with amqp.channel(url) as on:
        on.exchange_declare(exchange, "fanout", durable=True)
        on.basic_publish(
            exchange,
            key,
            body(match, message_id),
            pika.BasicProperties(
                delivery_mode=2, content_type="application/json", content_encoding="utf-8"
            ),
        )
    return message_id
