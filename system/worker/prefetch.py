"""A prefetch of its own for each queue: a batch of matches needs more than other tasks do.

The broker counts a prefetch for each consumer (quorum queues know no other), and takes the number
that is in force on the channel when the consumer begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from celery.app.amqp import AMQP
from kombu.messaging import Consumer


class QueuePrefetchConsumer(Consumer):
    """A consumer of several queues."""

    prefetch: Mapping[str, int]
    channel: Any

    def _basic_consume(self, queue: Any, *args: Any, **kwargs: Any) -> Any:
        if queue.name not in self._active_tags:
            self.channel.basic_qos(0, self.prefetch[queue.name], False)
        return super()._basic_consume(queue, *args, **kwargs)  # type: ignore[no-untyped-call]


class QueuePrefetchAMQP(AMQP):
    """Gives the worker's consumer what `WorkerApp.prefetch` says."""

    Consumer = QueuePrefetchConsumer

    def TaskConsumer(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802 - Celery's name
        """The consumer of the worker's queues."""
        consumer = super().TaskConsumer(*args, **kwargs)
        consumer.prefetch = self.app.prefetch
        return consumer
