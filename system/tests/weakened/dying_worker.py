"""A worker that dies at a point of a message's way; see `sudden`.

admit        the gate looks at the delivery
apply        the sink stores a match alone
batch-apply  the sink stores several together
retry        the retry is published
dead         the dead letter of a match that failed is published
gate-dead    the dead letter of a message that no task can take is published
ack          the delivery is acknowledged
batch        a pool child applies a batch
report       the main process hears what became of a batch, and acknowledges it
batch-ack    what of a batch is settled is acknowledged

A variable WEAKENED switches a guard off as well; see `weak_batches`.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from celery.worker.request import Request

from system.contract.topology import RETRY_EXCHANGE
from system.tests.weakened import run_given, sudden, weak_batches
from system.worker import aside, batch, consumer, gathering, handling


def _kind(_handler: Any, _envelope: Any, exchange: str, *_: Any) -> str:
    return "retry" if exchange == RETRY_EXCHANGE else "dead"


def _applied(_handler: Any, submissions: Sized) -> str:
    """The first match of a backlog goes alone; who means a batch must not die with that one."""
    return "apply" if len(submissions) == 1 else "batch-apply"


if __name__ == "__main__":
    sudden.around(consumer, "admit", lambda *_: "admit")
    sudden.around(handling.Handler, "submit", _applied)
    sudden.around(handling.Handler, "_publish", _kind)
    sudden.around(aside.Aside, "_is_safe", lambda *_: "gate-dead")
    sudden.around(Request, "acknowledge", lambda *_: "ack")
    sudden.around(batch, "handle", lambda *_: "batch")
    sudden.around(gathering.Batch, "_on_report", lambda *_: "report")
    sudden.around(gathering.Batch, "_acknowledge", lambda *_: "batch-ack")
    weak_batches.weaken()
    run_given()
