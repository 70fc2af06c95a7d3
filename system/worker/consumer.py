"""Celery's consumer, with every delivery checked at the gate before Celery looks at it.

Celery alone stops on some malformed messages, acknowledges and loses others, and rejects the rest
without a reason. Here each of them becomes a dead letter that says what is wrong with it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import structlog
from celery.worker.consumer import Consumer

from system.contract.envelope import PROCESS_TASK
from system.contract.reasons import Reason
from system.contract.topology import PROCESS_QUEUE
from system.worker.aside import Aside
from system.worker.broker_login import PatientConsumer
from system.worker.gate import RawDelivery, Unreadable, admit, own_id
from system.worker.gathering import Gatherer

log = structlog.get_logger("worker")


class GatedConsumer(PatientConsumer):
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
        gatherer = self.strategies[PROCESS_TASK]
        gathers = isinstance(gatherer, Gatherer)

        def gate(message: Any) -> Any:
            if gathers:
                gatherer.delivered(message)
            delivery = self._delivery(message)
            try:
                admitted = admit(delivery, known)
            except Unreadable as why:
                return self._dead_letter(message, delivery, why)
            except Exception as error:
                return self._wait(message, delivery, error)
            if gathers and admitted.headers["task"] == PROCESS_TASK:
                # Not by way of Celery's handler: that costs as much as all of the gate.
                return gatherer.take(message, admitted)
            admitted.put_into(message)
            return handle(message)

        return gate

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """Dead-letter what could not be decoded; Celery would acknowledge it and so lose it."""
        self._dead_letter(message, self._delivery(message), Unreadable(Reason.UNREADABLE, str(exc)))

    def take_one(self, queue: str) -> bool:
        """Take a single message from a queue that is not consumed; return whether there was one.

        It takes the way of every delivery.
        """
        found = self.task_consumer.channel.basic_get(queue, no_ack=False)
        if found is not None:
            self.task_consumer._receive_callback(found)  # noqa: SLF001 - what kombu does with each
        return found is not None

    def _dead_letter(self, message: Any, delivery: RawDelivery, why: Unreadable) -> None:
        if delivery.queue == PROCESS_QUEUE:
            self.app.streak.other()
        # If it is not safe, the broker dead-letters it: without our reason, but it is not lost.
        self._settle(message, safe=self._aside.bury(delivery, why), requeue=False)

    def _wait(self, message: Any, delivery: RawDelivery, error: Exception) -> None:
        """The gate itself has a bug."""
        message_id = own_id(delivery) or ""
        self.app.streak.bug(message_id)
        log.error("bug", message_id=message_id, error=repr(error), exc_info=error)
        if (delivery.queue or delivery.key) == PROCESS_QUEUE:
            self._settle(message, safe=self._aside.wait(delivery, error), requeue=True)
        else:  # there are no retry steps for these
            self._settle(message, safe=False, requeue=False)

    def _settle(self, message: Any, *, safe: bool, requeue: bool) -> None:
        if safe:
            message.ack_log_error(log, self.connection_errors)
        else:
            message.reject_log_error(log, self.connection_errors, requeue=requeue)

    @property
    def _aside(self) -> Aside:
        metrics = self.app.process_metrics.metrics
        return Aside(self.app.put_aside, metrics, self.hostname, random.Random())

    def _delivery(self, message: Any) -> RawDelivery:
        body = message.body
        return RawDelivery(
            body=body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body),
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=message.headers or {},
            properties=message.properties or {},
            queue=self._queue_of(message),
            key=str(message.delivery_info.get("routing_key", "")),
        )

    def _queue_of(self, message: Any) -> str:
        """The queue it was taken from. Its routing key does not tell: a sender chooses that.

        AMQP names the consumer only, and kombu keeps the queue of each to itself.
        """
        tag = message.delivery_info.get("consumer_tag")
        if tag is None:  # see `take_one`
            return PROCESS_QUEUE
        tags = self.task_consumer._active_tags  # noqa: SLF001
        for queue, own in tags.items():
            if own == tag:
                return str(queue)
        return ""
