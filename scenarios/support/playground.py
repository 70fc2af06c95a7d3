"""Exchanges and queues of an experiment's own, beside the system's, deleted when it ends.

They are *classic* queues: on these each guard can be left out to see what it does. The system
itself uses quorum queues, which are always durable and persistent.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker

from lab.clients import amqp
from lab.clients.amqp import TROUBLE

_NOT_FOUND = 404
TAKEN_MAX = 10_000


class Playground:
    """Use as a context manager.

    Every call uses a connection of its own, so a broker that died in between does not matter.
    """

    def __init__(self, url: str) -> None:
        """Prepare; connects to nothing yet.

        Args:
            url: AMQP, of a user that may declare and delete.
        """
        self.url = url
        self._prefix = f"phase.{uuid.uuid4().hex[:6]}"
        self._exchanges: list[str] = []
        self._queues: list[str] = []

    def __enter__(self) -> Playground:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(*TROUBLE), self.channel(confirm=False) as on:  # a dead broker has nothing
            for queue in self._queues:
                on.queue_delete(queue)
            for exchange in self._exchanges:
                on.exchange_delete(exchange)

    @contextmanager
    def channel(self, *, confirm: bool = True) -> Iterator[BlockingChannel]:
        """A channel, in confirm mode unless the experiment is about leaving that out."""
        with amqp.channel(self.url) as on:
            if confirm:
                on.confirm_delivery()
            yield on

    def exchange(self, kind: str) -> str:
        """Declare an exchange: `direct`, `topic` or `fanout`; return its name."""
        name = f"{self._prefix}.{kind}"
        with self.channel() as on:
            on.exchange_declare(name, kind, durable=True)
        self._exchanges.append(name)
        return name

    def queue(
        self, name: str, *, durable: bool = True, arguments: Mapping[str, Any] | None = None
    ) -> str:
        """Declare a classic queue; return its whole name."""
        whole = f"{self._prefix}.{name}"
        with self.channel() as on:
            on.queue_declare(
                whole, durable=durable, arguments={"x-queue-type": "classic", **(arguments or {})}
            )
        self._queues.append(whole)
        return whole

    def bind(self, queue: str, exchange: str, key: str = "") -> None:
        """Bind `queue` to `exchange` for messages that match `key`."""
        with self.channel() as on:
            on.queue_bind(queue, exchange, key)

    def publish(
        self,
        exchange: str,
        key: str,
        bodies: list[str],
        *,
        persistent: bool = True,
        mandatory: bool = False,
        properties: Mapping[str, Any] | None = None,
    ) -> None:
        """Publish messages one by one, each confirmed by the broker.

        Raises:
            UnroutableError: a message was routed to no queue, and it was mandatory.
            NackError: the broker refused it.
        """
        about = pika.BasicProperties(delivery_mode=2 if persistent else 1, **(properties or {}))
        with self.channel() as on:
            for body in bodies:
                on.basic_publish(exchange, key, body.encode(), about, mandatory=mandatory)

    def depth(self, queue: str) -> int | None:
        """Messages ready in `queue`; None if there is no such queue."""
        with self.channel() as on:
            try:
                return amqp.depth(on, queue)
            except ChannelClosedByBroker as error:
                if error.reply_code == _NOT_FOUND:
                    return None
                raise

    def take(self, queue: str) -> list[tuple[str, pika.BasicProperties]]:
        """Take every message out of `queue`: bodies and properties, in order."""
        found: list[tuple[str, pika.BasicProperties]] = []
        with self.channel() as on:
            while len(found) < TAKEN_MAX:
                method, properties, body = on.basic_get(queue, auto_ack=True)
                if method is None:
                    break
                found.append((body.decode(), properties))
        return found

    def bodies(self, queue: str) -> list[str]:
        """Take every message out of `queue`; their bodies, in order."""
        return [body for body, _ in self.take(queue)]
