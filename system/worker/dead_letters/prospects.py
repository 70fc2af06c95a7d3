"""What a replay of a dead letter would come to, judged by the contract of this version. Pure."""

from __future__ import annotations

import json
from datetime import datetime

from system.contract import observation
from system.contract.envelope import PROCESS_TASK, PUBLISHED_AT, QUEUES_OF_TASKS, Envelope
from system.errors import ContractViolation
from system.worker.gate import RawDelivery, Unreadable, admit
from system.worker.handling import Incoming, match_argument


def would_die_of(envelope: Envelope, queue: str, now: datetime) -> str:
    """Why a worker of this version would refuse the message again; "" if it would not.

    Whether the backend then takes it is not known: it may still be refused, or wait.

    Args:
        envelope: what would be sent.
        queue: where to.
        now: when it would arrive.
    """
    delivery = RawDelivery(
        envelope.body, envelope.content_type, envelope.content_encoding, envelope.headers, {}, queue
    )
    try:
        admitted = admit(delivery, frozenset(QUEUES_OF_TASKS))
        if admitted.headers["task"] == PROCESS_TASK:
            args, kwargs, _ = json.loads(admitted.body)
            sent = admitted.headers[PUBLISHED_AT]
            published_at = datetime.fromisoformat(sent) if sent else None
            incoming = Incoming(envelope.message_id, tuple(args), kwargs, published_at, 1)
            observation.read(match_argument(incoming), published_at=published_at, arrived_at=now)
    except (Unreadable, ContractViolation) as why:
        return str(why)
    return ""
