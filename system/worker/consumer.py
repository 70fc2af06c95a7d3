"""Celery's consumer, with every delivery checked at the gate before Celery looks at it.

Celery alone stops on some malformed messages, acknowledges and loses others, and rejects the rest
without a reason. Here each of them becomes a dead letter that says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from celery.worker.consumer import Consumer

from system.contract.envelope import PUBLISHED_AT, Envelope, dead_headers, new_message_id
from system.contract.reasons import Reason
from system.contract.topology import DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE
from system.errors import abbreviate
from system.messaging.publisher import Publisher, PublishOutcome
from system.worker.gate import RawDelivery, Unreadable, admit, published_at
from system.worker.metrics import WorkerMetrics

log = structlog.get_logger("worker")

# The consumer's loop is blocked meanwhile, so this is well below the heartbeat's limit.
_DEAD_LETTER_WITHIN_S = 3.0
_SHORT_BYTES_MAX = 255  # of a short string of AMQP


class GatedConsumer(Consumer):
    """A consumer that passes on only the deliveries that a task can read."""

    class Blueprint(Consumer.Blueprint):
        """Celery's steps without delayed delivery, which declares 28 queues for an unused `eta`."""

        default_steps = tuple(
            step for step in Consumer.Blueprint.default_steps if "delayed_delivery" not in step
        )

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Return the handler of deliveries: first the gate, then Celery's own."""
        handle = super().create_task_handler(*args, **kwargs)
        known = frozenset(name for name in self.app.tasks if not name.startswith("celery."))

        def gate(message: Any) -> Any:
            try:
                admitted = admit(_delivery(message), known)
            except Unreadable as why:
                return self._dead_letter(message, why)
            message.headers, message.body = admitted.headers, admitted.body
            message.content_encoding = "utf-8"
            message._decoded_cache = None  # noqa: SLF001 - kombu decodes once; we changed the body
            return handle(message)

        return gate

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Dead-letter what could not be decoded; Celery would acknowledge it and so lose it."""
        self._dead_letter(message, Unreadable(Reason.UNREADABLE, str(exc)))

    def _dead_letter(self, message: Any, why: Unreadable) -> None:
        delivery = _delivery(message)
        queue = str(message.delivery_info.get("routing_key", ""))
        now = datetime.now(UTC)
        # A replay must not make an old observation look new.
        seen_at = published_at(delivery.headers, delivery.properties)
        headers = dead_headers(
            {**delivery.headers, PUBLISHED_AT: seen_at or now.isoformat()},
            reason=why.reason,
            detail=why.detail,
            where=self.hostname,
            queue=queue,
            at=now,
        )
        copy = Envelope(
            _message_id(delivery),
            delivery.body,
            headers,
            delivery.content_type or "application/octet-stream",
            delivery.content_encoding or "binary",
        )
        log.error(
            "dead-lettered",
            message_id=copy.message_id,
            task_id=abbreviate(delivery.headers.get("id"), _SHORT_BYTES_MAX).strip("'"),
            reason=why.reason,
            detail=why.detail,
        )
        metrics: WorkerMetrics = self.app.process_metrics.metrics
        if self._is_safe(copy):
            since = datetime.fromisoformat(seen_at) if seen_at else None
            metrics.dead_lettered(why.reason, since)
            message.ack_log_error(log, self.connection_errors)
        else:  # then the broker dead-letters it: without our reason, but it is not lost
            metrics.returned()
            message.reject_log_error(log, self.connection_errors)

    def _is_safe(self, copy: Envelope) -> bool:
        """Publish to the dead letters; return whether the broker confirmed it."""
        publisher: Publisher = self.app.dead_letters
        (result,) = publisher.publish(
            [copy],
            exchange=DEAD_LETTER_EXCHANGE,
            key=DEAD_LETTER_QUEUE,
            within_s=_DEAD_LETTER_WITHIN_S,
        )
        return result.outcome is PublishOutcome.CONFIRMED


def _message_id(delivery: RawDelivery) -> str:
    """The message's id, if it is valid AMQP text; hostile messages may hold anything."""
    for given in (delivery.properties.get("message_id"), delivery.headers.get("id")):
        if isinstance(given, str) and 0 < len(given.encode("utf-8", "replace")) <= _SHORT_BYTES_MAX:
            return given
    return new_message_id()


def _delivery(message: Any) -> RawDelivery:
    body = message.body
    return RawDelivery(
        body=body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body),
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        headers=message.headers or {},
        properties=message.properties or {},
    )
