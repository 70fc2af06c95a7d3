"""Publishing that says what became of every message: confirmed, refused, or unknown.

One connection; messages are persistent and `mandatory`; up to a window of them is on its way
unconfirmed at a time, since waiting for each confirm alone would cost a round trip and a disk write
apiece. A lost connection is opened again with growing, jittered pauses, and what was not confirmed
is sent again under its own id: the store's receipts make that harmless.

The loop runs only inside `publish`, in the thread that calls it; there is no thread of its own, so
nothing beats for an idle connection either. One that was idle for long is replaced, not trusted.

Scraper, worker (retries, dead letters) and operator's tools publish by this one module.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel
from pika.exceptions import (
    AMQPConnectionError,
    AMQPError,
    ChannelClosedByBroker,
    ConnectionOpenAborted,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)
from pika.spec import PERSISTENT_DELIVERY_MODE, Basic, BasicProperties

from system.batch import Batch, Confirmation, Confirmed
from system.contract.envelope import Envelope

__all__ = ["Confirmation", "Confirmed", "Publisher", "pause_s"]

WINDOW = 500
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 5.0
HEARTBEAT_S = 10
IDLE_MAX_S = float(HEARTBEAT_S)
CLOSE_WITHIN_S = 2.0
_DROP_WITHIN_S = 1.0

# No right; no such exchange; a message or a property that the broker does not take.
_LASTING = (403, 404, 406, 311)


def pause_s(failures: int, chance: float) -> float:
    """How long to wait after `failures` in a row before connecting again, in seconds. Pure.

    Args:
        failures: at least 1.
        chance: between 0 and 1; spreads those who lost the same broker at the same moment.
    """
    longest = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 30))
    return longest / 2 * (1 + chance)


@dataclass(frozen=True, slots=True)
class _Order:
    """What one call of `publish` asks for."""

    envelopes: Sequence[Envelope]
    exchange: str
    key: str
    expiration_ms: int | None


class Publisher:
    """A confirmed publisher; see the module's text. Use as a context manager.

    Not for two threads at once. It may be made before a fork, as long as it is used only after.

    Args:
        url: amqp://user:password@host:port/vhost
        window: messages on their way unconfirmed at most.
        name: shown among the broker's connections.
        rng: for the jitter of the pauses between connection attempts.
        idle_max_s: a connection that was not used for longer is replaced before the next message.
    """

    def __init__(
        self,
        url: str,
        *,
        window: int = WINDOW,
        name: str = "publisher",
        rng: random.Random | None = None,
        idle_max_s: float = IDLE_MAX_S,
    ) -> None:
        self._parameters = pika.URLParameters(url)
        self._parameters.heartbeat = HEARTBEAT_S
        self._parameters.blocked_connection_timeout = 15
        self._parameters.socket_timeout = 5
        self._parameters.stack_timeout = 5
        self._parameters.connection_attempts = 1  # attempts and their pauses are ours
        self._parameters.client_properties = {"connection_name": name}
        self._window = window
        self._rng = rng or random.Random()
        self._idle_max_s = idle_max_s
        self._used_at = time.monotonic()
        self._loop: IOLoop | None = None
        self._connection: SelectConnection | None = None
        self._channel: Channel | None = None
        self._blocked = False
        self._failures = 0
        self._next_tag = 1
        self._trouble = ""
        self._batch: Batch | None = None
        self._order = _Order((), "", "", None)

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
        batch = Batch([each.message_id for each in envelopes])
        if batch.done:
            return []
        begun = time.monotonic()
        if self._connection is not None and begun - self._used_at > self._idle_max_s:
            self._end(polite_s=min(CLOSE_WITHIN_S, within_s) / 4)
        self._batch, self._trouble = batch, "no answer from the broker"
        self._order = _Order(envelopes, exchange, key, expiration_ms)
        try:
            self._work_off(begun + within_s)
        except BaseException:  # a time limit, Ctrl-C: what pika was in the middle of, nobody knows
            self._batch = None
            self._end(polite_s=0)
            raise
        self._batch, self._used_at = None, time.monotonic()
        if not batch.done:
            batch.give_up(self._trouble)
            self._end(polite_s=0)  # a late confirm must not meet the next batch
        return [fate for fate in batch.fates if fate is not None]

    def close(self) -> None:
        """Close the connection, in three seconds at most. May be called twice, and in any state."""
        self._end(polite_s=CLOSE_WITHIN_S)

    # The connection's life. Each of these is called by the loop, or before it runs.

    def _work_off(self, deadline: float) -> None:
        """Run the loop until the batch is done, given up, or out of time."""
        if self._loop is None:
            self._loop = IOLoop()
        loop = self._loop
        if self._channel is not None and self._channel.is_open:
            self._pump()
        elif self._connection is None:
            self._connect()
        if self._batch is not None and not self._batch.done:
            timeout = loop.call_later(max(0.0, deadline - time.monotonic()), loop.stop)
            try:
                loop.start()
            finally:
                loop.remove_timeout(timeout)

    def _end(self, *, polite_s: float) -> None:
        """End the connection: by agreement within `polite_s`, else by dropping it."""
        connection, loop = self._connection, self._loop
        if loop is not None and connection is not None:
            # pika 1.4 asserts where a connection is ended amid its handshake, having ended it.
            if polite_s and connection.is_open:
                with suppress(AssertionError):
                    connection.close()
                    self._run_for(loop, polite_s)
            if self._connection is not None:
                with suppress(AssertionError):
                    # pika has no public word for it, and a socket must not be left behind.
                    connection._terminate_stream(  # noqa: SLF001
                        ConnectionOpenAborted("dropped by the publisher")
                    )
                    self._run_for(loop, _DROP_WITHIN_S)
        if loop is not None:
            loop.close()
        self._loop = self._connection = self._channel = None
        self._failures = 0

    def _run_for(self, loop: IOLoop, seconds: float) -> None:
        timeout = loop.call_later(seconds, loop.stop)
        try:
            loop.start()
        finally:
            loop.remove_timeout(timeout)

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

    def _connect_again(self, connect: Callable[[], None]) -> None:
        """After a pause."""
        self._failures += 1
        if self._loop is not None:
            self._loop.call_later(pause_s(self._failures, self._rng.random()), connect)

    def _on_connection_open(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        self._open_channel()

    def _on_connection_lost(self, _connection: SelectConnection, reason: Exception | str) -> None:
        self._connection = self._channel = None
        self._trouble = f"connection to the broker: {_words(reason)}"
        if self._batch is None:
            self._stop()
            return
        self._batch.take_back()
        if _is_lasting(reason):
            self._give_up()
        else:
            self._connect_again(self._connect)

    def _open_channel(self) -> None:
        if self._connection is not None and self._connection.is_open:
            self._connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Channel) -> None:
        self._channel, self._next_tag = channel, 1
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_return)
        channel.confirm_delivery(self._on_confirm, callback=lambda _ok: self._pump())

    def _on_channel_closed(self, channel: Channel, reason: Exception) -> None:
        if self._channel is not channel:
            return
        self._channel = None
        if self._batch is None or self._connection is None or not self._connection.is_open:
            return  # the connection is going too; that is handled there
        self._trouble = f"the broker closed the channel: {_words(reason)}"
        self._batch.take_back()
        if isinstance(reason, ChannelClosedByBroker) and reason.reply_code in _LASTING:
            self._give_up()
            self._open_channel()  # for the next batch
        else:
            self._connect_again(self._open_channel)

    def _on_blocked(self, _connection: object, _method: object) -> None:
        self._blocked = True
        self._trouble = "the broker blocks publishers (memory or disk alarm)"

    def _on_unblocked(self, _connection: object, _method: object) -> None:
        self._blocked = False
        self._pump()

    def _give_up(self) -> None:
        if self._batch is not None:
            self._batch.give_up(self._trouble)
        self._stop()

    def _stop(self) -> None:
        if self._loop is not None:
            self._loop.stop()

    # The messages' way.

    def _pump(self) -> None:
        """Fill the window."""
        batch, channel, order = self._batch, self._channel, self._order
        if batch is None:
            return
        while (
            batch.todo
            and len(batch.on_the_way) < self._window
            and not self._blocked
            and channel is not None
            and channel.is_open
        ):
            envelope = order.envelopes[batch.todo[0]]
            try:
                properties = _properties(envelope, order.expiration_ms)
                channel.basic_publish(
                    order.exchange, order.key, envelope.body, properties, mandatory=True
                )
            except (AMQPError, ValueError, TypeError, struct.error) as error:
                # Nothing of it was written: pika encodes all of a message first.
                batch.refuse_first(f"it cannot be written as AMQP: {error!r}")
                continue
            batch.send_first(self._next_tag)
            self._next_tag += 1
        if batch.done:
            self._stop()

    def _on_return(
        self, _channel: Channel, _method: Basic.Return, properties: BasicProperties, _body: bytes
    ) -> None:
        if self._batch is not None and properties.message_id is not None:
            self._batch.came_back(properties.message_id)

    def _on_confirm(self, frame: Any) -> None:
        if self._batch is None:
            return
        self._failures = 0  # only an answer shows that this connection works
        method, order = frame.method, self._order
        self._batch.answer(
            method.delivery_tag,
            multiple=method.multiple,
            nack="the broker refused it (a full queue does that)"
            if isinstance(method, Basic.Nack)
            else "",
            unroutable=f"unroutable: no queue is bound to exchange {order.exchange!r}"
            f" with key {order.key!r}",
        )
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


def _is_lasting(reason: Exception | str) -> bool:
    """Whether the broker said no: wrong password (403), no such virtual host or no right (530).

    pika takes a connection that is lost amid the handshake for such a no; only the words within
    tell them apart.
    """
    probable = (ProbableAuthenticationError, ProbableAccessDeniedError)
    return isinstance(reason, probable) and any(no in str(reason) for no in ("(403)", "(530)"))


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
