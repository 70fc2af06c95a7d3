"""A worker that acknowledges what it gives up, instead of dead-lettering it."""

from __future__ import annotations

from typing import Any

from system.tests.weakened import run_given
from system.worker import consumer, handling, retry

_carry_out = handling.Handler._carry_out


def _drop(self: Any, decision: Any, incoming: Any) -> None:
    if not isinstance(decision, retry.GiveUp):
        _carry_out(self, decision, incoming)


def _acknowledge(self: Any, message: Any, *_: Any) -> None:
    message.ack()


if __name__ == "__main__":
    handling.Handler._carry_out = _drop  # type: ignore[method-assign]
    consumer.GatedConsumer._dead_letter = _acknowledge  # type: ignore[method-assign, assignment]
    run_given()
