"""Faults of the broker: its memory alarm, bindings that are gone, messages that come twice."""

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
_LOOK_AT_DISK = "rabbit_disk_monitor:get_disk_free_limit()."
_SET_DISK = "ok = rabbit_disk_monitor:set_disk_free_limit({limit})."
_MORE_THAN_THERE_IS = 10**18
_EVERYTHING = "#"
COPIES = "lab.copies"
"""The queue of the copies of `messages-doubled`, while that lasts."""


@fault(
    "broker-memory-alarm", Controllable, leaves=Leaves.RETRIES | Leaves.RECONNECTS, strikes="broker"
)
def broker_memory_alarm(on: Target[Controllable]) -> Iterator[None]:
    """Set the broker's memory limit to one byte; the limit it had comes back at the end."""
    broker = on.substrate
    limit = broker.control_broker("eval", _LOOK).strip()
    try:
        broker.control_broker("eval", _SET.format(limit=_ONE_BYTE))
        yield
    finally:
        broker.control_broker("eval", _SET.format(limit=limit))


@fault(
    "broker-disk-alarm",
    Controllable,
    leaves=Leaves.RETRIES | Leaves.RECONNECTS,
    strikes="broker",
)
def broker_disk_alarm(on: Target[Controllable]) -> Iterator[None]:
    """Let the broker ask for more free disk than there is; what it asked for comes back."""
    broker = on.substrate
    limit = broker.control_broker("eval", _LOOK_AT_DISK).strip()
    try:
        broker.control_broker("eval", _SET_DISK.format(limit=_MORE_THAN_THERE_IS))
        yield
    finally:
        broker.control_broker("eval", _SET_DISK.format(limit=limit))


@fault("queue-unbound", leaves=Leaves.DEAD_LETTER_ROUTE, strikes="broker")
def queue_unbound(on: Target[Substrate]) -> Iterator[None]:
    """Unbind the queue of matches; it is bound again at the end."""
    yield from _unbound(on, PROCESS_QUEUE, EXCHANGE, PROCESS_QUEUE)


@fault("dead-letter-route-away", leaves=Leaves.DEAD_LETTER_ROUTE, strikes="broker")
def dead_letter_route_away(on: Target[Substrate]) -> Iterator[None]:
    """Unbind the dead-letter queue: dead letters must wait; it is bound again at the end."""
    yield from _unbound(on, DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, _EVERYTHING)


@fault("messages-doubled", strikes="broker")
def messages_doubled(on: Target[Substrate]) -> Iterator[None]:
    """Keep a copy of each match that is published; at the end all of the copies come, too."""
    admin = on.endpoints.broker_urls["admin"]
    try:
        with amqp.channel(admin) as channel:
            channel.queue_declare(COPIES, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(COPIES, EXCHANGE, PROCESS_QUEUE)
        yield
    finally:
        with amqp.channel(admin) as channel:
            channel.queue_unbind(COPIES, EXCHANGE, PROCESS_QUEUE)
            channel.confirm_delivery()
            while True:
                method, properties, body = channel.basic_get(COPIES)
                if method is None:
                    break
                channel.basic_publish("", PROCESS_QUEUE, body, properties, mandatory=True)
                channel.basic_ack(method.delivery_tag)
            channel.queue_delete(COPIES)


def _unbound(on: Target[Substrate], queue: str, exchange: str, key: str) -> Iterator[None]:
    admin = on.endpoints.broker_urls["admin"]
    try:
        with amqp.channel(admin) as channel:
            channel.queue_unbind(queue, exchange, key)
        yield
    finally:
        with amqp.channel(admin) as channel:
            channel.queue_bind(queue, exchange, key)
