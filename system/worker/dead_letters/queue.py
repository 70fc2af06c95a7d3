"""The queues of dead letters, one message at a time: read, and taken out only on purpose.

What found no queue at all is kept in one of its own, and is a dead letter like the others.

A message that is read stays in the queue until `HeldLetter.take`: it is delivered unacknowledged,
and goes back by itself when the connection closes, even if this process is killed.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from system.contract.addresses import addresses
from system.contract.topology import KEPT_QUEUES
from system.errors import BrokerUnavailable
from system.worker.dead_letters import letter as letters

WITHIN_S = 10.0
HEARTBEAT_S = 30


class HeldLetter:
    """A dead letter that was read and not yet taken out."""

    def __init__(self, letter: letters.DeadLetter, take: Callable[[], None]) -> None:
        self.letter = letter
        self._take = take

    def take(self) -> None:
        """Take it out of the queue for good.

        Raises:
            BrokerUnavailable: the connection was lost; then it is still in the queue.
        """
        with _as_broker_unavailable():
            self._take()


def walk(on: BlockingChannel) -> Iterator[HeldLetter]:
    """Every dead letter there was when the walk began, oldest first; then the unroutable ones.

    One that arrives meanwhile, perhaps because a replay died again, is not among them: so the walk
    ends.

    Raises:
        BrokerUnavailable: the broker went away.
    """
    for queue in KEPT_QUEUES:
        with _as_broker_unavailable():
            left = on.queue_declare(queue, passive=True).method.message_count
        for _ in range(left):
            with _as_broker_unavailable():
                method, properties, body = on.basic_get(queue, auto_ack=False)
            if method is None:
                break
            tag = method.delivery_tag
            letter = letters.parse_letter(
                properties, body, exchange=method.exchange, key=method.routing_key
            )
            yield HeldLetter(letter, lambda tag=tag: on.basic_ack(tag))  # type: ignore[misc]


@contextmanager
def open_channel(url: str, trust: ssl.SSLContext | None = None) -> Iterator[BlockingChannel]:
    """A channel on a connection of its own; closing it gives back what was not taken.

    Args:
        url: of the operator's user; of a cluster one node that answers is enough.
        trust: what an amqps:// url trusts.

    Raises:
        BrokerUnavailable: the broker cannot be reached, or refuses.
    """
    with _as_broker_unavailable():
        connection = pika.BlockingConnection([_parameters(each, trust) for each in addresses(url)])
        channel = connection.channel()
    try:
        yield channel
    finally:
        if connection.is_open:
            with _as_broker_unavailable():
                connection.close()


def _parameters(url: str, trust: ssl.SSLContext | None) -> pika.URLParameters:
    found = pika.URLParameters(url)
    found.socket_timeout = found.stack_timeout = WITHIN_S
    found.blocked_connection_timeout = WITHIN_S
    found.heartbeat = HEARTBEAT_S
    found.client_properties = {"connection_name": "dead-letters"}
    if trust is not None and found.ssl_options is not None:
        found.ssl_options = pika.SSLOptions(trust, found.host)
    return found


@contextmanager
def _as_broker_unavailable() -> Iterator[None]:
    """Turn pika's and the system's errors into BrokerUnavailable."""
    try:
        yield
    except (AMQPError, OSError) as error:
        raise BrokerUnavailable(f"the broker: {error or type(error).__name__!r}") from error
