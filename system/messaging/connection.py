"""A connection to RabbitMQ with one channel in confirm mode, reopened when it is lost.

Its address and password are looked up at each attempt to connect. A login that was refused is not
tried again before a growing pause is over, or another password is there, however often one asks.

Its event loop runs only while the publisher runs it, in the publisher's thread.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByBroker, ConnectionOpenAborted
from pydantic import SecretStr

from system.contract.addresses import addresses
from system.errors import BrokerUnavailable, Refused, SettingsError
from system.login import Login, backoff_s
from system.messaging.reasons import is_refusal, words_of
from system.tls import Trust

BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 5.0
HEARTBEAT_S = 10
LOOK_AGAIN_S = 0.5
"""Who waits for a login looks this often whether there is another password."""
_DROP_WITHIN_S = 1.0

# No permission; no such exchange; a message or a property that the broker does not take.
_PERMANENT = (403, 404, 406, 311)


def pause_s(failures: int, chance: float) -> float:
    """How long to wait after `failures` in a row before connecting again, in seconds. Pure.

    Args:
        failures: at least 1.
        chance: between 0 and 1; spreads the clients that lost the broker at the same moment.
    """
    return backoff_s(failures, chance, BACKOFF_FIRST_S, BACKOFF_MAX_S)


def parameters(url: str, name: str, trust: Trust | None) -> pika.ConnectionParameters:
    """Pika's parameters of a connection; every wait is bounded.

    Raises:
        SettingsError: `url` is no address of a broker.
    """
    no_address = SettingsError(
        "MISSING_TABLE_BROKER_URL is no address like amqp://user:password@host:port/vhost"
    )
    try:
        parts = urlsplit(url)
        found = pika.URLParameters(url)
    except (ValueError, LookupError):  # their words may hold a piece of the password
        raise no_address from None
    if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
        raise no_address
    found.heartbeat = HEARTBEAT_S
    found.blocked_connection_timeout = 15
    found.socket_timeout = found.stack_timeout = 5
    found.connection_attempts = 1  # attempts and their pauses are ours
    found.client_properties = {"connection_name": name}
    if trust is not None and found.ssl_options is not None:
        found.ssl_options = pika.SSLOptions(trust(), found.host)
    return found


def every(url: str, name: str, trust: Trust | None) -> list[pika.ConnectionParameters]:
    """Pika's parameters of each of the addresses in `url`; see `parameters`."""
    return [parameters(each, name, trust) for each in addresses(url)]


def probe(url: str, name: str, trust: Trust | None) -> None:
    """Log in and out again, in some ten seconds at most for each node that does not answer.

    Args:
        url: one address, or several of a cluster; one node that lets us in is enough.

    Raises:
        SettingsError: `url` is no address of a broker.
        Refused: the broker refuses the user, the password or the virtual host.
        BrokerUnavailable: it cannot be reached, or does not answer.
    """
    try:
        pika.BlockingConnection(every(url, name, trust)).close()
    except (AMQPError, OSError) as error:
        kind = Refused if is_refusal(error) else BrokerUnavailable
        raise kind(f"connection to the broker: {words_of(error)}") from error


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

    @property
    def waits_for_login(self) -> bool:
        """Whether a refused login is `lost` and tried again, or is `refused`."""

    def refused(self) -> None:
        """Like `lost`, but trying again is of no use; `BrokerConnection.last_error` says why."""

    def returned(self, message_id: str) -> None:
        """The broker found no queue for this message."""

    def answered(self, method: Any) -> None:
        """A Basic.Ack or a Basic.Nack."""


class BrokerConnection:
    """See the module's text. It may be created before a fork if it is first opened after it.

    Args:
        url: amqp(s)://user:password@host:port/vhost; of a cluster several, see `addresses`. It
            begins with any of them, and goes to the next when one is lost.
        name: of the connection, for the broker's lists.
        trust: what an amqps:// url trusts.

    Raises:
        ValueError: the url is none.

    Attributes:
        channel: None while there is none.
        blocked: the broker accepts nothing for now (an alarm).
        last_error: what went wrong last, in words.
    """

    def __init__(
        self,
        url: SecretStr,
        name: str,
        trust: Trust | None,
        rng: random.Random,
        listener: ConnectionListener,
    ) -> None:
        self.channel: Channel | None = None
        self.blocked = False
        self.last_error = ""
        self._url = url
        self._every = partial(every, name=name, trust=trust)
        # Not all begin with the same node; and the next is taken with each connection that is lost.
        self._turn = rng.randrange(len(self._every(url.get_secret_value())))
        self._used = ""
        self._login = Login(url, rng)
        self._refusal = ""  # of the last login, in words
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
        if (wait := self._login.wait_s()) > 0:
            self.last_error = f"{self._refusal}; not tried again for {wait:.0f} s"
            self._wait_for_login()
            return
        self.blocked = False
        self._used = self._url.get_secret_value()
        try:
            found = self._every(self._used)
        except (SettingsError, ValueError, LookupError, SyntaxError):  # might hold the password
            self._refuse("the broker's address is none; correct MISSING_TABLE_BROKER_URL")
            self._wait_for_login()
            return
        self._connection = SelectConnection(
            found[self._turn % len(found)],
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_lost,
            on_close_callback=self._on_lost,
            custom_ioloop=self._loop,
        )

    def _refuse(self, why: str) -> None:
        self._refusal = self.last_error = why
        self._login.refused(self._used)

    def _wait_for_login(self) -> None:
        """Look again soon whether it may be tried, if the listener waits for it."""
        if not self._listener.waits_for_login:
            self._listener.refused()
            return
        self._listener.lost()
        if self._loop is not None:
            self._loop.call_later(LOOK_AGAIN_S, self._connect)

    def _again(self, connect: Callable[[], None]) -> None:
        """After a pause."""
        self._failures += 1
        if self._loop is not None:
            self._loop.call_later(pause_s(self._failures, self._rng.random()), connect)

    def _on_open(self, connection: SelectConnection) -> None:
        self._login.accepted()
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        self._open_channel()

    def _on_lost(self, connection: SelectConnection, reason: Exception | str) -> None:
        self._connection = self.channel = None
        self._turn += 1
        self.last_error = f"connection to the broker: {words_of(reason)}"
        if is_refusal(reason):
            to = connection.params
            self._refuse(
                f"the broker at {to.host}:{to.port} refused the login of"
                f" {to.credentials.username!r}: {words_of(reason)}; give MISSING_TABLE_BROKER_URL,"
                " or its file, what it accepts"
            )
        if not self._listener.busy:
            self.stop()
        elif is_refusal(reason):
            self._wait_for_login()
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
        self.last_error = f"the broker closed the channel: {words_of(reason)}"
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
