"""Queues of a test's own on the lab's broker, and what is in them."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pika
import psutil
from pika.adapters.blocking_connection import BlockingChannel

from system.contract.envelope import Envelope, wrap_arguments
from system.contract.topology import EXCHANGE


def envelopes(count: int, first: int = 0, **headers: Any) -> list[Envelope]:
    """So many messages with the ids m-0000000 and so on; their bodies are about a match's size."""
    return [
        wrapped.with_headers({**wrapped.headers, **headers})
        for wrapped in (
            wrap_arguments(
                [{"number": number, "filling": "x" * 400}],
                {},
                message_id=f"m-{number:07}",
                published_at=datetime.now(UTC),
            )
            for number in range(first, first + count)
        )
    ]


@contextmanager
def channel(url: str) -> Iterator[BlockingChannel]:
    """A channel on a connection of its own."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = 30
    connection = pika.BlockingConnection(parameters)
    try:
        yield connection.channel()
    finally:
        if connection.is_open:
            connection.close()


@contextmanager
def own_queue(url: str, **arguments: Any) -> Iterator[str]:
    """A durable queue bound to the exchange of matches, by its name as the key; gone afterwards."""
    name = f"test-{uuid.uuid4()}"
    with channel(url) as on:
        on.queue_declare(name, durable=True, arguments=arguments or None)
        on.queue_bind(name, EXCHANGE, name)
    try:
        yield name
    finally:
        with channel(url) as on:
            on.queue_delete(name)


def depth(url: str, queue: str) -> int:
    """How many messages are ready in `queue`."""
    with channel(url) as on:
        return int(on.queue_declare(queue, passive=True).method.message_count)


def take_all(url: str, queue: str) -> list[str]:
    """The message ids in `queue`, in its order; it is empty afterwards."""
    taken = []
    while True:
        taken += _take_until_silent(url, queue)
        # Now that the connection is closed, what was on its way to it is back in the queue.
        if depth(url, queue) == 0:
            return taken


def _take_until_silent(url: str, queue: str) -> list[str]:
    taken = []
    with channel(url) as on:
        on.basic_qos(prefetch_count=1000)
        silent = False
        for method, properties, _ in on.consume(queue, inactivity_timeout=1):
            if method is None:
                # On a busy machine silence says little: once more, and does the broker say so, too?
                if silent and on.queue_declare(queue, passive=True).method.message_count == 0:
                    break
                silent = True
                continue
            silent = False
            taken.append(str(properties.message_id))
            on.basic_ack(method.delivery_tag)
        on.cancel()
    return taken


def control(lab: Any, *arguments: str) -> None:
    """Run rabbitmqctl against the lab's broker."""
    (pid,) = (each.pid for each in lab.substrate.processes() if each.name == "broker-0")
    leader = psutil.Process(pid)
    environ = next(
        found
        for each in (leader, *leader.children(recursive=True))
        if "RABBITMQ_NODENAME" in (found := each.environ())
    )
    subprocess.run(
        ["/usr/lib/rabbitmq/bin/rabbitmqctl", "-n", environ["RABBITMQ_NODENAME"], *arguments],
        env={**os.environ, **environ},
        check=True,
        capture_output=True,
        timeout=80,
    )
