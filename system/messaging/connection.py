"""A connection to RabbitMQ with one confirming channel, that comes back when it is lost.

Run by its user, in that thread, for as long as it is wanted; see `system.messaging.publisher`.
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


def parameters(url: str, name: str, trust: ssl.SSLContext | None) -> pika.ConnectionParameters:
    """What pika needs to connect, every wait of it bounded."""
    found = pika.URLParameters(url)
    found.heartbeat = HEARTBEAT_S
    found.blocked_connection_timeout = 15
    found.socket_timeout = found.stack_timeout = 5
    found.connection_attempts = 1  # attempts and their pauses are ours
    found.client_properties = {"connection_name": name}
    if trust is not None and found.ssl_options is not None:
        found.ssl_options = pika.SSLOptions(trust, found.host)
    return found


class User(Protocol):
    """Who works over the link. The loop calls these."""

    @property
    def busy(self) -> bool:
        """Whether there is anything to connect for."""

    def ready(self) -> None:
        """The channel is open, or open again, or no longer blocked; its delivery tags count on."""

    def opened(self) -> None:
        """The channel is new: its delivery tags begin at 1. `ready` follows."""

    def lost(self) -> None:
        """What was on its way will not be answered any more. The link comes back by itself."""

    def refused(self) -> None:
        """The same, but trying again is of no use; `Link.trouble` says why."""

    def returned(self, message_id: str) -> None:
        """The broker found no queue for this message."""

    def answered(self, method: Any) -> None:
        """A Basic.Ack or a Basic.Nack."""


class Link:
    """See the module's text. Made before a fork, it may be used after; not the other way round.

    Attributes:
        channel: None while there is none.
        blocked: the broker wants nothing for now.
        trouble: what went wrong last, in words.
    """

    def __init__(self, how: pika.ConnectionParameters, rng: random.Random, user: User) -> None:
        self.channel: Channel | None = None
        self.blocked = False
        self.trouble = ""
        self._how = how
        self._rng = rng
        self._user = user
        self._loop: IOLoop | None = None
        self._connection: SelectConnection | None = None
        self._failures = 0
        self._running = False

    def open(self) -> None:
        """Begin to connect; `run` brings it about."""
        if self._loop is None:
            self._loop = IOLoop()
        if self._connection is None:
            self._connect()

    def run(self, seconds: float) -> None:
        """Run the loop until `stop` is called, or for so long."""
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
        """Let `run` return. Does nothing where it does not run."""
        if self._loop is not None and self._running:  # else the next run would end at once
            self._loop.stop()

    def works(self) -> None:
        """An answer came: the pauses begin small again."""
        self._failures = 0

    def end(self, *, polite_s: float) -> None:
        """End the connection: by agreement within `polite_s`, else by dropping it. In any state."""
        if self._connection is not None and self._connection.is_open and polite_s > 0:
            self._wait_for_end(self._connection.close, polite_s)
        if self._connection is not None:
            # pika has no public word for it, and a socket must not be left behind.
            drop, why = self._connection._terminate_stream, ConnectionOpenAborted("dropped")  # noqa: SLF001
            self._wait_for_end(lambda: drop(why), _DROP_WITHIN_S)
        if self._loop is not None:
            self._loop.close()
        self._loop = self._connection = self.channel = None
        self._failures = 0

    def _wait_for_end(self, begin: Callable[[], object], within_s: float) -> None:
        # pika 1.4 asserts where a connection is ended amid its handshake, having ended it.
        with suppress(AssertionError):
            begin()
            self.run(within_s)

    def _connect(self) -> None:
        if not self._user.busy:
            return
        self.blocked = False
        self._connection = SelectConnection(
            self._how,
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
        self.trouble = f"connection to the broker: {_words(reason)}"
        if not self._user.busy:
            self.stop()
        elif _is_lasting(reason):
            self._user.refused()
        else:
            self._user.lost()
            self._again(self._connect)

    def _open_channel(self) -> None:
        if self._connection is not None and self._connection.is_open:
            self._connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Channel) -> None:
        self.channel = channel
        self._user.opened()
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(
            lambda _channel, _method, properties, _body: self._user.returned(
                str(properties.message_id)
            )
        )
        channel.confirm_delivery(
            lambda frame: self._user.answered(frame.method), callback=lambda _: self._user.ready()
        )

    def _on_channel_closed(self, channel: Channel, reason: Exception) -> None:
        if self.channel is not channel:
            return
        self.channel = None
        if self._connection is None or not self._connection.is_open:
            return  # the connection is going too; that is handled there
        self.trouble = f"the broker closed the channel: {_words(reason)}"
        if isinstance(reason, ChannelClosedByBroker) and reason.reply_code in _LASTING:
            self._user.refused()
            self._open_channel()  # for what comes next
        else:
            self._user.lost()
            self._again(self._open_channel)

    def _on_blocked(self, _connection: object, _method: object) -> None:
        self.blocked = True
        self.trouble = "the broker blocks publishers (memory or disk alarm)"

    def _on_unblocked(self, _connection: object, _method: object) -> None:
        self.blocked = False
        self._user.ready()


def _is_lasting(reason: Exception | str) -> bool:
    """Whether the broker said no: wrong password (403), no such virtual host or no right (530).

    pika takes a connection that is lost amid the handshake for such a no; only the words within
    tell them apart.
    """
    probable = (ProbableAuthenticationError, ProbableAccessDeniedError)
    return isinstance(reason, probable) and any(no in str(reason) for no in ("(403)", "(530)"))


def _words(reason: Exception | str) -> str:
    """What pika means, without its nesting: what went wrong in the last attempt, in the end."""
    inner: Any = reason
    while True:
        attempts = getattr(inner, "exceptions", None)
        held = attempts[-1] if attempts else getattr(inner, "exception", None)
        if held is None and isinstance(inner, AMQPConnectionError) and inner.args:
            held = inner.args[0]
        if not isinstance(held, BaseException):
            return str(inner) or type(inner).__name__
        inner = held
