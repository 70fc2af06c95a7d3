"""Faults of the broker itself: its memory alarm, and bindings that are gone."""

from __future__ import annotations

from collections.abc import Iterator

from lab.clients import amqp
from lab.faults.registry import Target, fault
from lab.faults.residue import Leaves
from lab.substrates.abilities import Controllable
from lab.substrates.protocol import Substrate
from system.contract.topology import (
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    EXCHANGE,
    PROCESS_QUEUE,
)

_LOOK = "vm_memory_monitor:get_vm_memory_high_watermark()."
_SET = "ok = vm_memory_monitor:set_vm_memory_high_watermark({limit})."
_ONE_BYTE = "{absolute, 1}"
_EVERYTHING = "#"


@fault("broker-memory-alarm", Controllable, leaves=Leaves.RETRIES | Leaves.RECONNECTS)
def broker_memory_alarm(on: Target[Controllable]) -> Iterator[None]:
    """Set the broker's memory limit to one byte; the limit it had comes back at the end."""
    broker = on.substrate
    limit = broker.control_broker("eval", _LOOK).strip()
    try:
        broker.control_broker("eval", _SET.format(limit=_ONE_BYTE))
        yield
    finally:
        broker.control_broker("eval", _SET.format(limit=limit))


@fault("queue-unbound", leaves=Leaves.DEAD_LETTER_ROUTE)
def queue_unbound(on: Target[Substrate]) -> Iterator[None]:
    """Unbind the queue of matches; it is bound again at the end."""
    yield from _unbound(on, PROCESS_QUEUE, EXCHANGE, PROCESS_QUEUE)


@fault("dead-letter-route-away", leaves=Leaves.DEAD_LETTER_ROUTE)
def dead_letter_route_away(on: Target[Substrate]) -> Iterator[None]:
    """Unbind the dead-letter queue: dead letters must wait; it is bound again at the end."""
    yield from _unbound(on, DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, _EVERYTHING)


def _unbound(on: Target[Substrate], queue: str, exchange: str, key: str) -> Iterator[None]:
    admin = on.endpoints.broker_urls["admin"]
    try:
        with amqp.channel(admin) as channel:
            channel.queue_unbind(queue, exchange, key)
        yield
    finally:
        with amqp.channel(admin) as channel:
            channel.queue_bind(queue, exchange, key)
