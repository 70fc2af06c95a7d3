"""Publishing that reports the outcome of every message: confirmed, refused, or unknown.

One connection; messages are persistent and `mandatory`; up to a window of them is unconfirmed at a
time, since waiting for each confirm alone would cost a round trip and a disk write for each. A lost
connection is opened again with growing, jittered pauses, and what was not confirmed is sent again
under its own id: the store's receipts make that harmless.

The loop runs only inside `publish`, in the thread that calls it; there is no thread of its own, so
an idle connection sends no heartbeats. One that was idle for long is replaced, not trusted.

Scraper, worker (retries, dead letters) and operator's tools publish by this one module.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pika.exceptions import AMQPError
from pika.spec import PERSISTENT_DELIVERY_MODE, Basic, BasicProperties
from pydantic import SecretStr

from system.contract.envelope import Envelope
from system.messaging.batch import Batch, DetailedOutcome, PublishOutcome, PublishResult
from system.messaging.connection import HEARTBEAT_S, BrokerConnection
from system.secret_files import as_secret
from system.tls import Trust

__all__ = ["PublishOutcome", "PublishResult", "Publisher"]

WINDOW = 500
IDLE_MAX_S = float(HEARTBEAT_S)
CLOSE_WITHIN_S = 2.0
REPORT_EVERY = 64
"""Messages settled between two reports to the metrics: one for each would slow every message."""


class PublishObserver(Protocol):
    """Counts what is published; see `metrics.publishing`."""

    def settled(self, outcomes: Mapping[DetailedOutcome, int], seconds: Sequence[float]) -> None:
        """Count messages by outcome; `seconds` are the times to confirm of those confirmed."""

    def in_flight(self, count: int) -> None:
        """`count` messages are unanswered now."""


@dataclass(frozen=True, slots=True)
class _Request:
    """The arguments of one call of `publish`."""

    envelopes: Sequence[Envelope]
    exchange: str
    key: str
    expiration_ms: int | None


class Publisher:
    """A confirmed publisher; see the module's text. Use as a context manager.

    Not for two threads at once. It may be created before a fork if it is first used after it.

    Args:
        url: amqp://user:password@host:port/vhost; looked up at each attempt to connect.
        window: messages that may be unconfirmed at a time.
        name: shown among the broker's connections.
        rng: for the jitter of the pauses between connection attempts.
        trust: what an amqps:// url trusts; see `system.tls`.
        idle_max_s: a connection that was not used for longer is replaced before the next message.
        metrics: counts every message; None to count nothing.
        waits_for_login: whether messages wait, as long as they may, for a login that the broker
            accepts. Else they are refused at once: for a sender that has another way.
    """

    def __init__(
        self,
        url: str | SecretStr,
        *,
        window: int = WINDOW,
        name: str = "publisher",
        rng: random.Random | None = None,
        trust: Trust | None = None,
        idle_max_s: float = IDLE_MAX_S,
        metrics: PublishObserver | None = None,
        waits_for_login: bool = False,
    ) -> None:
        self._connection = BrokerConnection(
            as_secret(url), name, trust, rng or random.Random(), self
        )
        self._waits_for_login = waits_for_login
        self._window = window
        self._metrics = metrics
        self._idle_max_s = idle_max_s
        self._used_at = time.monotonic()
        self._next_tag = 1
        self._request = _Request((), "", "", None)
        self._batch: Batch | None = None

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def publish(
        self,
        envelopes: Sequence[Envelope],
        *,
        exchange: str,
        key: str,
        within_s: float = 10.0,
        expiration_ms: int | None = None,
    ) -> list[PublishResult]:
        """Send all, and return the result of each, in order.

        Never raises for a failure of the broker: that is an outcome. Returns once every message is
        settled, or after `within_s`.

        Args:
            envelopes: what to send.
            exchange: where to; it has to exist.
            key: routing key; some queue has to be bound to it, else the message is refused.
            within_s: seconds after which what has no answer is given up as refused or unknown.
            expiration_ms: per-message time to live, for a retry step.
        """
        batch = Batch([envelope.message_id for envelope in envelopes])
        if batch.done:
            return []
        begun = time.monotonic()
        if begun - self._used_at > self._idle_max_s:
            self._connection.close(handshake_s=min(CLOSE_WITHIN_S, within_s) / 4)
        self._connection.last_error = "no answer from the broker"
        self._batch, self._request = batch, _Request(envelopes, exchange, key, expiration_ms)
        try:
            self._connection.open()
            self.ready()  # if it was open already
            if not batch.done:
                self._connection.run(begun + within_s - time.monotonic())
        except BaseException:  # a time limit, Ctrl-C: pika's state is not known
            self._batch = None
            self._connection.close(handshake_s=0)
            batch.give_up("interrupted")
            self._report(batch)
            raise
        self._batch, self._used_at = None, time.monotonic()
        if not batch.done:
            batch.give_up(self._connection.last_error)
            self._connection.close(handshake_s=0)  # a late confirm must not meet the next batch
        self._report(batch)
        return [result for result in batch.results if result is not None]

    def close(self) -> None:
        """Close the connection, in three seconds at most. May be called twice, and in any state."""
        self._connection.close(handshake_s=CLOSE_WITHIN_S)

    # Called by the connection; see `connection.ConnectionListener`.

    @property
    def waits_for_login(self) -> bool:
        """Whether a batch waits for a login that is accepted, or is given up at once."""
        return self._waits_for_login

    @property
    def busy(self) -> bool:
        """Whether a batch is being published."""
        return self._batch is not None

    def opened(self) -> None:
        """A new channel counts its delivery tags from 1."""
        self._next_tag = 1

    def ready(self) -> None:
        """Send what fits into the window."""
        self._pump()

    def lost(self) -> None:
        """What was in flight has to be sent again."""
        if self._batch is not None:
            self._batch.requeue_in_flight()

    def refused(self) -> None:
        """Nothing more can be done for the batch."""
        if self._batch is not None:
            self._batch.give_up(self._connection.last_error)
        self._connection.stop()

    def returned(self, message_id: str) -> None:
        """Unroutable; its confirm follows."""
        if self._batch is not None:
            self._batch.mark_returned(message_id)

    def answered(self, method: Any) -> None:
        """Settle what the answer is about, and send what now fits into the window."""
        if self._batch is None:
            return
        self._connection.reset_backoff()
        request, nack = self._request, isinstance(method, Basic.Nack)
        self._batch.answer(
            method.delivery_tag,
            multiple=method.multiple,
            nack="the broker refused it (a full queue does that)" if nack else "",
            unroutable=f"unroutable: no queue is bound to exchange {request.exchange!r}"
            f" with key {request.key!r}",
            at=time.monotonic(),
        )
        self._pump()
        if len(self._batch.confirm_seconds) >= REPORT_EVERY:
            self._report(self._batch)

    def _report(self, batch: Batch) -> None:
        if self._metrics is not None:
            # Not counted one by one: this is the path of every message.
            outcomes = {**batch.failures, DetailedOutcome.CONFIRMED: len(batch.confirm_seconds)}
            self._metrics.settled(outcomes, batch.confirm_seconds)
            self._metrics.in_flight(len(batch.in_flight))
        batch.failures.clear()
        batch.confirm_seconds.clear()

    def _pump(self) -> None:
        batch, request, connection = self._batch, self._request, self._connection
        if batch is None:
            return
        idle = not batch.in_flight
        while (
            batch.pending
            and len(batch.in_flight) < self._window
            and not connection.blocked
            and connection.channel is not None
            and connection.channel.is_open
        ):
            envelope = request.envelopes[batch.pending[0]]
            try:
                connection.channel.basic_publish(
                    request.exchange,
                    request.key,
                    envelope.body,
                    _properties(envelope, request.expiration_ms),
                    mandatory=True,
                )
            except (AMQPError, ValueError, TypeError, struct.error) as error:
                # Nothing of it was written: pika encodes all of a message first.
                batch.refuse_first(f"it cannot be written as AMQP: {error!r}")
                continue
            batch.mark_first_sent(self._next_tag, time.monotonic())
            self._next_tag += 1
        if idle and self._metrics is not None:
            self._metrics.in_flight(len(batch.in_flight))
        if batch.done:
            connection.stop()


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
