"""A worker that dies at a point of a message's way; see `sudden`.

admit        the gate looks at the delivery
apply        the sink stores the match
retry        the retry is published
dead         the dead letter of a match that failed is published
gate-dead    the dead letter of a message that no task can take is published
ack          the delivery is acknowledged
"""

from __future__ import annotations

from typing import Any

from celery.worker.request import Request

from system.contract.topology import RETRY_EXCHANGE
from system.tests.weakened import run_given, sudden
from system.worker import consumer, handling


def _kind(_handler: Any, _envelope: Any, exchange: str, *_: Any) -> str:
    return "retry" if exchange == RETRY_EXCHANGE else "dead"


if __name__ == "__main__":
    sudden.around(consumer, "admit", lambda *_: "admit")
    sudden.around(handling.Handler, "_apply", lambda *_: "apply")
    sudden.around(handling.Handler, "_publish", _kind)
    sudden.around(consumer.GatedConsumer, "_is_safe", lambda *_: "gate-dead")
    sudden.around(Request, "acknowledge", lambda *_: "ack")
    run_given()
