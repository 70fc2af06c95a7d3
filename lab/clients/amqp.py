"""The broker seen from outside: queue depths, dead letters, and messages of any shape.

Reads by AMQP with the operator's permissions, so its numbers are current; those of the management
API are seconds old.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, NackError, UnroutableError

from lab.errors import LabError
from system.contract import envelope as wire
from system.contract.addresses import addresses
from system.contract.topology import (
    EXCHANGE,
    KEPT_QUEUES,
    PROCESS_QUEUE,
    RETRY_DELAYS_S,
    retry_queue,
)

WORK = (PROCESS_QUEUE, *map(retry_queue, RETRY_DELAYS_S))
"""The queues in which a message waits for its effect."""
WATCHED = (*WORK, *KEPT_QUEUES)


CONNECTION_NAME = "lab"
"""The name of the lab's own connections at the broker."""

T = TypeVar("T")


class BrokerSilent(LabError):  # noqa: N818
    """The broker, or its management API, did not answer."""


TROUBLE = (BrokerSilent, AMQPError, OSError)
"""The errors of reading from a broker that is, or becomes, unavailable."""


class NotTaken(LabError):  # noqa: N818
    """The broker did not accept a message: unroutable, or refused."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in the dead-letter queue, as its headers describe it.

    Attributes:
        published_at, died_at: None if the headers do not say.
        queue: the queue that it came from.
    """

    message_id: str
    reason: str
    detail: str
    where: str
    queue: str
    published_at: datetime | None
    died_at: datetime | None
    body: bytes


@contextmanager
def channel(
    url: str, *, timeout_s: float = 20.0, heartbeat_s: int = 30
) -> Iterator[BlockingChannel]:
    """Open a channel on a connection of its own.

    Args:
        url: of a cluster several, with `;` between them; the first that answers is taken.
        timeout_s: bounds connecting.
        heartbeat_s: a broker that hangs is noticed after about twice this.

    Raises:
        BrokerSilent: the broker cannot be reached, or refuses.
    """
    nodes = [pika.URLParameters(each) for each in addresses(url)]
    for parameters in nodes:
        parameters.socket_timeout = parameters.stack_timeout = timeout_s
        parameters.blocked_connection_timeout = timeout_s
        parameters.heartbeat = heartbeat_s
        parameters.client_properties = {"connection_name": CONNECTION_NAME}
    try:
        connection = pika.BlockingConnection(nodes)
    except Exception as error:  # pika raises several unrelated classes here
        raise BrokerSilent(f"no connection to the broker: {error!r}") from error
    try:
        yield connection.channel()
    finally:
        if connection.is_open:
            connection.close()


class Watcher:
    """Asks a broker again and again on one connection, which is opened anew once it is lost.

    To open one costs both sides ten times what a question costs. For any number of threads.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._connected = ExitStack()
        self._on: BlockingChannel | None = None

    def ask(self, question: Callable[[BlockingChannel], T]) -> T:
        """The answer to a question that changes nothing, and so may be asked twice.

        Raises:
            TROUBLE: the broker did not answer.
        """
        with self._lock:
            if self._on is not None:
                with suppress(*TROUBLE):
                    return question(self._on)
                self._close()
            self._on = self._connected.enter_context(channel(self._url, heartbeat_s=5))
            try:
                return question(self._on)
            except TROUBLE:
                self._close()
                raise

    def close(self) -> None:
        """Close the connection, if there is one; a later question opens another."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self._on = None
        with suppress(*TROUBLE):
            self._connected.close()


def depths(on: BlockingChannel) -> dict[str, int]:
    """The number of messages ready in each watched queue now."""
    return {queue: depth(on, queue) for queue in WATCHED}


def depth(on: BlockingChannel, queue: str) -> int:
    """Messages ready in `queue` now, without those that are delivered and not acknowledged."""
    return int(on.queue_declare(queue, passive=True).method.message_count)


def dead_letters(url: str, limit: int = 100_000) -> list[DeadLetter]:
    """Read every dead letter and unroutable message, and leave all of them in their queues."""
    found: list[DeadLetter] = []
    with channel(url) as on:  # what is not acknowledged goes back when the channel closes
        queues = list(KEPT_QUEUES)
        while queues and len(found) < limit:
            method, properties, body = on.basic_get(queues[0], auto_ack=False)
            if method is None:
                del queues[0]
                continue
            found.append(_dead_letter(properties, body, method.exchange))
    return found


def send(
    on: BlockingChannel,
    body: bytes,
    *,
    exchange: str,
    key: str,
    properties: Mapping[str, Any],
) -> None:
    """Publish bytes as they are, persistent and mandatory; return once they are confirmed.

    Args:
        on: a channel in confirm mode.
        properties: of AMQP: content_type, headers, message_id and so on.

    Raises:
        NotTaken: refused; or unroutable, and marked as `envelope.wrap` marks it.
    """
    try:
        on.basic_publish(
            exchange,
            key,
            body,
            pika.BasicProperties(delivery_mode=2, **properties),
            mandatory=True,
        )
    except (UnroutableError, NackError) as error:
        raise NotTaken(f"{exchange}, key {key}: {type(error).__name__}") from error


def publish(
    url: str, envelopes: Iterable[wire.Envelope], *, key: str = PROCESS_QUEUE, confirm: bool = True
) -> None:
    """Publish messages to the system's exchange; return once all are confirmed, if that is wanted.

    Raises:
        NotTaken: one is unroutable or refused.
        TROUBLE: the broker is, or became, unavailable.
    """
    with channel(url) as on:
        if confirm:
            on.confirm_delivery()
        for envelope in envelopes:
            properties = {
                "content_type": envelope.content_type,
                "content_encoding": envelope.content_encoding,
                "headers": dict(envelope.headers),
                "message_id": envelope.message_id,
            }
            send(on, envelope.body, exchange=EXCHANGE, key=key, properties=properties)


def _dead_letter(properties: pika.BasicProperties, body: bytes, exchange: str) -> DeadLetter:
    headers = properties.headers or {}
    return DeadLetter(
        message_id=str(properties.message_id or headers.get("id") or _id_within(body)),
        reason=wire.reason_of(headers, exchange),
        detail=str(headers.get(wire.DEAD_DETAIL, "")),
        where=str(headers.get(wire.DEAD_WHERE, "")),
        queue=str(headers.get(wire.DEAD_QUEUE, "")),
        published_at=_time(headers.get(wire.PUBLISHED_AT)),
        died_at=_time(headers.get(wire.DEAD_AT)),
        body=body,
    )


def _id_within(body: bytes) -> str:
    """The id in the body, the only place where the earlier system's senders put it; or ""."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return str(content.get("id", "")) if isinstance(content, dict) else ""


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (TypeError, ValueError):
        return None
