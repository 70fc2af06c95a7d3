"""A binding is gone, as after a mistake in the topology: messages fit no queue."""

from __future__ import annotations

from collections.abc import Iterator

from lab import broker
from lab.fault import Target, fault
from lab.settling import Marks
from system.contract.topology import EXCHANGE, PROCESS_QUEUE


@fault("queue-unbound", marks=Marks(dead_letter_route=True))
def queue_unbound(on: Target) -> Iterator[None]:
    """Unbind the queue of matches; it is bound again at the end."""
    admin = on.endpoints.broker_urls["admin"]
    try:
        with broker.channel(admin) as channel:
            channel.queue_unbind(PROCESS_QUEUE, EXCHANGE, PROCESS_QUEUE)
        yield
    finally:
        with broker.channel(admin) as channel:
            channel.queue_bind(PROCESS_QUEUE, EXCHANGE, PROCESS_QUEUE)
