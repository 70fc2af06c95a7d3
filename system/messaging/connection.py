"""A connection to RabbitMQ with one channel in confirm mode, reopened when it is lost.

Its event loop runs only while the publisher runs it, in the publisher's thread.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ConnectionOpenAborted,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 5.0
HEARTBEAT_S = 10
_DROP_WITHIN_S = 1.0

# No permission; no such exchange; a message or a property that the broker does not take.
_PERMANENT = (403, 404, 406, 311)


def pause_s(failures: int, chance: float) -> float:
    """How long to wait after `failures` in a row before connecting again, in seconds. Pure.

    Args:
        failures: at least 1.
        chance: between 0 and 1; spreads the clients that lost the broker at the same moment.
    """
    longest = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 30))
    return longest / 2 * (1 + chance)


def parameters(url: str, name: str, trust: ssl.SSLContext | None) -> pika.ConnectionParameters:
    """Pika's parameters of a connection; every wait is bounded."""
    found = pika.URLParameters(url)
    found.heartbeat = HEARTBEAT_S
    found.blocked_connection_timeout = 15
    found.socket_timeout = found.stack_timeout = 5
    found.connection_attempts = 1  # attempts and their pauses are ours
    found.client_properties = {"connection_name": name}
    if trust is not None and found.ssl_options is not None:
        found.ssl_options = pika.SSLOptions(trust, found.host)
    return found


class ConnectionListener(Protocol):
    """The user of the connection; the event loop calls these methods."""

    @property
    def busy(self) -> bool:
        """Whether a connection is needed now."""

    def ready(self) -> None:
        """Messages can be sent: the channel was opened, or the broker no longer blocks it."""

    def opened(self) -> None:
        """The channel is new: its delivery tags begin at 1. `ready` follows."""

    def lost(self) -> None:
        """What was in flight will not be answered any more. The connection reopens by itself."""

    def refused(self) -> None:
        """Like `lost`, but trying again is of no use; `BrokerConnection.last_error` says why."""

    def returned(self, message_id: str) -> None:
        """The broker found no queue for this message."""

    def answered(self, method: Any) -> None:
        """A Basic.Ack or a Basic.Nack."""


class BrokerConnection:
    """See the module's text. It may be created before a fork if it is first opened after it.

    Attributes:
        channel: None while there is none.
        blocked: the broker accepts nothing for now (an alarm).
        last_error: what went wrong last, in words.
    """

    def __init__(
        self,
        connection_parameters: pika.ConnectionParameters,
        rng: random.Random,
        listener: ConnectionListener,
    ) -> None:
        self.channel: Channel | None = None
        self.blocked = False
        self.last_error = ""
        self._parameters = connection_parameters
        self._rng = rng
        self._listener = listener
        self._loop: IOLoop | None = None
        self._connection: SelectConnection | None = None
        self._failures = 0
        self._running = False

    def open(self) -> None:
        """Begin to connect; the connection is made while `run` runs."""
        if self._loop is None:
            self._loop = IOLoop()
        if self._connection is None:
            self._connect()

    def run(self, seconds: float) -> None:
        """Run the loop until `stop` is called, for `seconds` at most."""
        if self._loop is None:
            return
        timeout = self._loop.call_later(max(0.0, seconds), self._loop.stop)
        self._running = True
        try:
            self._loop.start()
        finally:
            self._running = False
            self._loop.remove_timeout(timeout)

    def stop(self) -> None:
        """Let `run` return. Does nothing if it does not run."""
        if self._loop is not None and self._running:  # else the next run would end at once
            self._loop.stop()

    def reset_backoff(self) -> None:
        """The broker answered: the pauses begin small again."""
        self._failures = 0

    def close(self, *, handshake_s: float) -> None:
        """Close by AMQP's handshake within `handshake_s`, else drop the connection. In any state.

        With 0 it is dropped at once.
        """
        if self._connection is not None and self._connection.is_open and handshake_s > 0:
            self._wait_for_end(self._connection.close, handshake_s)
        if self._connection is not None:
            # pika has no public method for it, and a socket must not be left behind.
            drop, why = self._connection._terminate_stream, ConnectionOpenAborted("dropped")  # noqa: SLF001
            self._wait_for_end(lambda: drop(why), _DROP_WITHIN_S)
        if self._loop is not None:
            self._loop.close()
        self._loop = self._connection = self.channel = None
        self._failures = 0

    def _wait_for_end(self, begin: Callable[[], object], within_s: float) -> None:
        # pika 1.4 raises AssertionError when a connection is ended amid its handshake; it has
        # ended.
        with suppress(AssertionError):
            begin()
            self.run(within_s)

    def _connect(self) -> None:
        if not self._listener.busy:
            return
        self.blocked = False
        self._connection = SelectConnection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_lost,
            on_close_callback=self._on_lost,
            custom_ioloop=self._loop,
        )

    def _again(self, connect: Callable[[], None]) -> None:
        """After a pause."""
        self._failures += 1
        if self._loop is not None:
            self._loop.call_later(pause_s(self._failures, self._rng.random()), connect)

    def _on_open(self, connection: SelectConnection) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        self._open_channel()

    def _on_lost(self, _connection: SelectConnection, reason: Exception | str) -> None:
        self._connection = self.channel = None
        self.last_error = f"connection to the broker: {_words(reason)}"
        if not self._listener.busy:
            self.stop()
        elif _is_permanent(reason):
            self._listener.refused()
        else:
            self._listener.lost()
            self._again(self._connect)

    def _open_channel(self) -> None:
        if self._connection is not None and self._connection.is_open:
            self._connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Channel) -> None:
        self.channel = channel
        self._listener.opened()
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(
            lambda _channel, _method, properties, _body: self._listener.returned(
                str(properties.message_id)
            )
        )
        channel.confirm_delivery(
            lambda frame: self._listener.answered(frame.method),
            callback=lambda _: self._listener.ready(),
        )

    def _on_channel_closed(self, channel: Channel, reason: Exception) -> None:
        if self.channel is not channel:
            return
        self.channel = None
        if self._connection is None or not self._connection.is_open:
            return  # the connection is closing too; that is handled there
        self.last_error = f"the broker closed the channel: {_words(reason)}"
        if isinstance(reason, ChannelClosedByBroker) and reason.reply_code in _PERMANENT:
            self._listener.refused()
            self._open_channel()  # for what comes next
        else:
            self._listener.lost()
            self._again(self._open_channel)

    def _on_blocked(self, _connection: object, _method: object) -> None:
        self.blocked = True
        self.last_error = "the broker blocks publishers (memory or disk alarm)"

    def _on_unblocked(self, _connection: object, _method: object) -> None:
        self.blocked = False
        self._listener.ready()


def _is_permanent(reason: Exception | str) -> bool:
    """Whether the broker refused: wrong password (403), no such virtual host, no permission (530).

    pika reports a connection that is lost amid the handshake as such a refusal, too; only the text
    distinguishes them.
    """
    probable = (ProbableAuthenticationError, ProbableAccessDeniedError)
    return isinstance(reason, probable) and any(no in str(reason) for no in ("(403)", "(530)"))


def _words(reason: Exception | str) -> str:
    """The cause that pika nests innermost: what went wrong in the last attempt."""
    inner: Any = reason
    while True:
        attempts = getattr(inner, "exceptions", None)
        held = attempts[-1] if attempts else getattr(inner, "exception", None)
        if held is None and isinstance(inner, AMQPConnectionError) and inner.args:
            held = inner.args[0]
        if not isinstance(held, BaseException):
            return str(inner) or type(inner).__name__
        inner = held
