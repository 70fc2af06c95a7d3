"""Defects of the broker's set-up, made by hand as an operator could."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.sabotage.defect import Defect, by_hand
from lab.sabotage.scenes import deaths, messages, outages, pages
from system.contract.topology import (
    EXCHANGE,
    FANOUT_EXCHANGE,
    POLICIES,
    POLICY_PRIORITY,
    PROCESS_QUEUE,
    RETRY_DELAYS_S,
    retry_queue,
)

_FEW = 10
_TO_NOWHERE: dict[str, Any] = dict.fromkeys(
    ("dead-letter-exchange", "dead-letter-routing-key", "dead-letter-strategy")
)
_SECOND_MS = 1000


def _policy(lab: Lab, queue: str, **changes: Any) -> None:
    """Change what the policy of a queue says; None leaves it out."""
    policy = next(each for each in POLICIES if each.on == queue)
    given = {name: value for name, value in policy.definition.items() if name not in changes}
    given |= {name: value for name, value in changes.items() if value is not None}
    body = {
        "pattern": policy.pattern,
        "apply-to": policy.apply_to,
        "priority": POLICY_PRIORITY,
        "definition": given,
    }
    lab.endpoints.management.call("PUT", f"policies/%2F/{quote(policy.name, safe='')}", body)


def _no_dead_letter_exchange(lab: Lab) -> None:
    _policy(lab, PROCESS_QUEUE, **_TO_NOWHERE)


def _retries_lead_nowhere(lab: Lab) -> None:
    for delay_s in RETRY_DELAYS_S:
        _policy(lab, retry_queue(delay_s), **_TO_NOWHERE)


def _no_delivery_limit(lab: Lab) -> None:
    # RabbitMQ 4 has a limit of its own; with -1 it has none, which older ones do not know.
    _policy(lab, PROCESS_QUEUE, **{"delivery-limit": 1_000_000})


def _drops_the_oldest(lab: Lab) -> None:
    _policy(lab, PROCESS_QUEUE, **_TO_NOWHERE, **{"max-length": _FEW, "overflow": "drop-head"})


def _forgets_in_time(lab: Lab) -> None:
    _policy(lab, PROCESS_QUEUE, **_TO_NOWHERE, **{"message-ttl": _SECOND_MS})


def _earlier_senders_unbound(lab: Lab) -> None:
    with amqp.channel(lab.endpoints.broker_urls["admin"]) as on:
        on.queue_unbind(PROCESS_QUEUE, FANOUT_EXCHANGE, "")


def _in_memory_only(lab: Lab) -> None:
    """A queue of the same name, of the classic kind; after a restart the definitions hold again."""
    with lab.fault("worker-terminated"), amqp.channel(lab.endpoints.broker_urls["admin"]) as on:
        on.queue_delete(PROCESS_QUEUE)
        on.queue_declare(PROCESS_QUEUE, durable=False, arguments={"x-queue-type": "classic"})
        on.queue_bind(PROCESS_QUEUE, EXCHANGE, PROCESS_QUEUE)


DEFECTS: dict[str, Defect] = {
    "queue-in-memory": Defect(
        "The queue of matches is a classic one that the broker does not keep on disk.",
        by_hand(_in_memory_only),
        deaths.the_broker_dies_while_messages_wait,
        (1,),
    ),
    "no-dead-letter-exchange": Defect(
        "What nobody can take is dropped by the broker.",
        by_hand(_no_dead_letter_exchange),
        messages.a_message_is_given_back_again_and_again,
        (messages.GIVEN_UP,),
    ),
    "no-delivery-limit": Defect(
        "What nobody can take is delivered for ever.",
        by_hand(_no_delivery_limit),
        messages.a_message_is_given_back_again_and_again,
        (messages.GIVEN_UP,),
    ),
    "retries-lead-nowhere": Defect(
        "What waited for a retry is dropped by the broker.",
        by_hand(_retries_lead_nowhere),
        outages.the_api_is_away,
        (1,),
    ),
    "drop-oldest": Defect(
        "A queue that is full drops its oldest message, instead of refusing a new one.",
        by_hand(_drops_the_oldest),
        messages.pages_are_read_while_no_worker_is_there,
        (1,),
    ),
    "expiry": Defect(
        "A match that waits too long for a worker is dropped.",
        by_hand(_forgets_in_time),
        messages.pages_are_read_while_no_worker_is_there,
        (1,),
    ),
    "missing-binding": Defect(
        "The exchange of the earlier senders is bound to no queue.",
        by_hand(_earlier_senders_unbound),
        pages.a_season_goes_by,
        (4,),
    ),
}
