"""The way to the dead letters is gone: what is given up must wait, not vanish."""

from __future__ import annotations

from collections.abc import Iterator

from lab import broker
from lab.fault import Target, fault
from lab.settling import Marks
from system.contract.topology import DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE

_EVERYTHING = "#"


@fault("dead-letter-route-away", marks=Marks(dead_letter_route=True))
def dead_letter_route_away(on: Target) -> Iterator[None]:
    """Unbind the dead-letter queue; it is bound again at the end."""
    admin = on.endpoints.broker_urls["admin"]
    try:
        with broker.channel(admin) as channel:
            channel.queue_unbind(DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, _EVERYTHING)
        yield
    finally:
        with broker.channel(admin) as channel:
            channel.queue_bind(DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, _EVERYTHING)
