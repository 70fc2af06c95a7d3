"""Publishing that says what became of every message: confirmed, refused, or unknown.

One connection; messages are persistent and `mandatory`; up to a window of them is on its way
unconfirmed at a time, since waiting for each confirm alone would cost a round trip and a disk write
apiece. A lost connection is opened again with growing, jittered pauses, and what was not confirmed
is sent again under its own id: the store's receipts make that harmless.

The loop runs only inside `publish`, in the thread that calls it; there is no thread of its own.
A connection that went stale between two calls is noticed and replaced by the next one.

Scraper, worker (retries, dead letters) and operator's tools publish by this one module.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)
from pika.spec import PERSISTENT_DELIVERY_MODE, Basic, BasicProperties

from system.contract.envelope import Envelope

WINDOW = 500
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 5.0

# The broker means these: wrong password, no such virtual host, no right, no such exchange.
_LASTING = (ProbableAuthenticationError, ProbableAccessDeniedError)
_ACCESS_REFUSED, _NOT_FOUND = 403, 404


class Confirmed(StrEnum):
    """What is known of a message after `publish`.

    CONFIRMED  the broker has it, on disk, in a queue
    REFUSED    it is certainly in no queue
    UNKNOWN    it was sent and never answered: it may be there or not; sending it again is safe
    """

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The fate of one message; `detail` says why, where it was not confirmed."""

    message_id: str
    outcome: Confirmed
    detail: str = ""


@dataclass
class _Batch:
    """What one call of `publish` still has to do."""

    envelopes: Sequence[Envelope]
    exchange: str
    key: str
    expiration_ms: int | None
    todo: deque[int]
    fates: list[Confirmation | None]
    on_the_way: dict[int, int] = field(default_factory=dict)  # delivery tag → index
    sent: set[int] = field(default_factory=set)  # put on the wire at least once
    returned: set[str] = field(default_factory=set)  # message ids that came back unroutable

    @property
    def done(self) -> bool:
        return not self.todo and not self.on_the_way

    def settle(self, index: int, outcome: Confirmed, detail: str = "") -> None:
        self.fates[index] = Confirmation(self.envelopes[index].message_id, outcome, detail)

    def take_back(self) -> None:
        """After a lost connection: what was on its way comes first again, in its order."""
        self.todo.extendleft(sorted(self.on_the_way.values(), reverse=True))
        self.on_the_way.clear()

    def give_up(self, why: str) -> None:
        """Whatever was on the wire may have arrived; the rest certainly has not."""
        self.take_back()
        while self.todo:
            index = self.todo.popleft()
            unsure = index in self.sent
            self.settle(index, Confirmed.UNKNOWN if unsure else Confirmed.REFUSED, why)


class Publisher:
    """A confirmed publisher; see the module's text. Use as a context manager.

    Args:
        url: amqp://user:password@host:port/vhost
        window: messages on their way unconfirmed at most.
        name: shown among the broker's connections.
        rng: for the jitter of the pauses between connection attempts.
    """

    def __init__(
        self,
        url: str,
        *,
        window: int = WINDOW,
        name: str = "publisher",
        rng: random.Random | None = None,
    ) -> None:
        self._parameters = pika.URLParameters(url)
        self._parameters.heartbeat = 10
        self._parameters.blocked_connection_timeout = 15
        self._parameters.socket_timeout = 5
        self._parameters.stack_timeout = 5
        self._parameters.connection_attempts = 1  # attempts and their pauses are ours
        self._parameters.client_properties = {"connection_name": name}
        self._window = window
        self._rng = rng or random.Random()
        self._loop = IOLoop()
        self._connection: SelectConnection | None = None
        self._channel: Channel | None = None
        self._blocked = False
        self._failures = 0
        self._next_tag = 1
        self._trouble = ""
        self._batch: _Batch | None = None

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def publish(
        self,
        envelopes: Sequence[Envelope],
        *,
        exchange: str,
        key: str,
        within_s: float = 10.0,
        expiration_ms: int | None = None,
    ) -> list[Confirmation]:
        """Send all, and return the fate of each, in order.

        Never raises for trouble with the broker: trouble is a fate. Returns once every message is
        settled, or after `within_s`.

        Args:
            envelopes: what to send.
            exchange: where to; it has to exist.
            key: routing key; some queue has to be bound to it, else the message is refused.
            within_s: seconds after which what has no answer is given up as refused or unknown.
            expiration_ms: per-message time to live, for the retry ladder.
        """
        batch = _Batch(
            envelopes,
            exchange,
            key,
            expiration_ms,
            deque(range(len(envelopes))),
            [None] * len(envelopes),
        )
        self._batch, self._trouble = batch, "no answer from the broker"
        deadline = self._loop.call_later(within_s, self._loop.stop)
        try:
            if self._channel is not None and self._channel.is_open:
                self._pump()
            elif self._connection is None:
                self._connect()
            if not batch.done:
                self._loop.start()
        finally:
            self._loop.remove_timeout(deadline)
            self._batch = None
        if not batch.done:
            batch.give_up(self._trouble)
            self.close()  # a late confirm must not meet the next batch
        return [fate for fate in batch.fates if fate is not None]

    def close(self) -> None:
        """Close the connection, in two seconds at most. May be called twice."""
        if self._connection is not None:
            timeout = self._loop.call_later(2, self._loop.stop)
            # pika 1.4 asserts where a connection is closed amid its handshake, having closed it.
            with suppress(AssertionError):
                if not (self._connection.is_closed or self._connection.is_closing):
                    self._connection.close()
                if not self._connection.is_closed:
                    self._loop.start()
            self._loop.remove_timeout(timeout)
            self._connection = self._channel = None
        self._loop.close()
        self._loop = IOLoop()
        self._failures = 0

    # The connection's life. Each of these is called by the loop.

    def _connect(self) -> None:
        if self._batch is None:
            return
        self._blocked = False
        self._connection = SelectConnection(
            self._parameters,
            on_open_callback=self._on_connection_open,
            on_open_error_callback=self._on_connection_lost,
            on_close_callback=self._on_connection_lost,
            custom_ioloop=self._loop,
        )

    def _on_connection_open(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel_open)

    def _on_connection_lost(self, connection: SelectConnection, reason: Exception | str) -> None:
        self._connection = self._channel = None
        self._trouble = f"connection to the broker: {_words(reason)}"
        if self._batch is None:
            self._loop.stop()
            return
        self._batch.take_back()
        if isinstance(reason, _LASTING):
            self._batch.give_up(self._trouble)
            self._loop.stop()
            return
        self._failures += 1
        longest = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** (self._failures - 1))
        self._loop.call_later(self._rng.uniform(longest / 2, longest), self._connect)

    def _on_channel_open(self, channel: Channel) -> None:
        self._channel, self._next_tag, self._failures = channel, 1, 0
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _ok: self._pump())

    def _on_channel_closed(self, channel: Channel, reason: Exception) -> None:
        if self._channel is not channel:
            return
        self._channel = None
        self._trouble = f"the broker closed the channel: {_words(reason)}"
        batch = self._batch
        if batch is None or self._connection is None or not self._connection.is_open:
            return  # the connection is going too; that is handled there
        batch.take_back()
        lasting = isinstance(reason, ChannelClosedByBroker) and reason.reply_code in (
            _ACCESS_REFUSED,
            _NOT_FOUND,
        )
        if lasting:
            batch.give_up(self._trouble)
            self._loop.stop()
        self._connection.channel(on_open_callback=self._on_channel_open)

    def _on_blocked(self, _connection: object, _method: object) -> None:
        self._blocked = True
        self._trouble = "the broker blocks publishers (memory or disk alarm)"

    def _on_unblocked(self, _connection: object, _method: object) -> None:
        self._blocked = False
        self._pump()

    # The messages' way.

    def _pump(self) -> None:
        """Fill the window."""
        batch, channel = self._batch, self._channel
        if batch is None:
            return
        while (
            batch.todo
            and len(batch.on_the_way) < self._window
            and not self._blocked
            and channel is not None
            and channel.is_open
        ):
            index = batch.todo.popleft()
            envelope = batch.envelopes[index]
            batch.on_the_way[self._next_tag] = index
            batch.sent.add(index)
            self._next_tag += 1
            channel.basic_publish(
                batch.exchange,
                batch.key,
                envelope.body,
                _properties(envelope, batch.expiration_ms),
                mandatory=True,
            )
        if batch.done:
            self._loop.stop()

    def _on_return(
        self, _channel: Channel, method: Basic.Return, properties: BasicProperties, _body: bytes
    ) -> None:
        """Unroutable; its confirm follows, and then means only that the broker looked."""
        if self._batch is not None and properties.message_id is not None:
            self._batch.returned.add(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        batch = self._batch
        if batch is None:
            return
        method, tag = frame.method, frame.method.delivery_tag
        tags = [t for t in batch.on_the_way if t <= tag] if method.multiple else [tag]
        for each in tags:
            index = batch.on_the_way.pop(each, None)
            if index is None:
                continue
            message_id = batch.envelopes[index].message_id
            if isinstance(method, Basic.Nack):
                batch.settle(
                    index, Confirmed.REFUSED, "the broker refused it (a full queue does that)"
                )
            elif message_id in batch.returned:
                batch.returned.discard(message_id)
                batch.settle(
                    index,
                    Confirmed.REFUSED,
                    f"unroutable: no queue is bound to exchange {batch.exchange!r}"
                    f" with key {batch.key!r}",
                )
            else:
                batch.settle(index, Confirmed.CONFIRMED)
        self._pump()


def _properties(envelope: Envelope, expiration_ms: int | None) -> BasicProperties:
    return BasicProperties(
        content_type=envelope.content_type,
        content_encoding=envelope.content_encoding,
        delivery_mode=PERSISTENT_DELIVERY_MODE,
        headers=dict(envelope.headers),
        correlation_id=envelope.message_id,
        message_id=envelope.message_id,
        timestamp=int(time.time()),
        expiration=None if expiration_ms is None else str(expiration_ms),
    )


def _words(reason: Exception | str) -> str:
    """What pika means, without its nesting."""
    if isinstance(reason, AMQPConnectionError) and reason.args:
        inner = reason.args[0]
        while getattr(inner, "exceptions", None) or (
            isinstance(inner, AMQPConnectionError) and inner.args
        ):
            inner = (
                inner.exceptions[-1].exception if hasattr(inner, "exceptions") else inner.args[0]
            )
        return str(inner) or type(reason).__name__
    return str(reason) or type(reason).__name__
