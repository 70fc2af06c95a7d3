"""The messages in the queue of matches, read one by one, and left in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.clients import amqp
from lab.experiment.lab import Lab
from system.contract.topology import PROCESS_QUEUE

LOOKED_AT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message that waits for a worker; `exchange` and `key` are those it was published with."""

    message_id: str
    exchange: str
    key: str
    headers: Mapping[str, Any]
    match: Any


def messages(lab: Lab) -> list[QueuedMessage]:
    """Every message that is in the queue and not delivered, in the order of the queue."""
    found: list[QueuedMessage] = []
    # What is not acknowledged goes back, to its old place, when the channel closes.
    with amqp.channel(lab.endpoints.broker_urls["operator"]) as on:
        while len(found) < LOOKED_AT_MAX:
            method, properties, body = on.basic_get(PROCESS_QUEUE, auto_ack=False)
            if method is None:
                break
            found.append(
                QueuedMessage(
                    str(properties.message_id),
                    method.exchange,
                    method.routing_key,
                    properties.headers or {},
                    json.loads(body)[0][0],
                )
            )
    return found


def depth(lab: Lab) -> int:
    """The number of messages that are in the queue and not delivered."""
    with amqp.channel(lab.endpoints.broker_urls["operator"]) as on:
        return amqp.depth(on, PROCESS_QUEUE)
