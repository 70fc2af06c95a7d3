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
import ssl
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pika.exceptions import AMQPError
from pika.spec import PERSISTENT_DELIVERY_MODE, Basic, BasicProperties

from system.contract.envelope import Envelope
from system.messaging.batch import Batch, Confirmation, Confirmed, Told
from system.messaging.connection import HEARTBEAT_S, Link, parameters

__all__ = ["Confirmation", "Confirmed", "Publisher"]

WINDOW = 500
IDLE_MAX_S = float(HEARTBEAT_S)
CLOSE_WITHIN_S = 2.0
TELL_EVERY = 64
"""Messages settled between two reports to the metrics: one for each would cost the fast path."""


class Metrics(Protocol):
    """Who counts what is published; see `metrics.publishing`."""

    def settled(self, told: Mapping[Told, int], seconds: Sequence[float]) -> None:
        """Messages by what was told of them, and the times of those confirmed."""

    def on_the_way(self, count: int) -> None:
        """So many are unanswered now."""


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
        trust: what an amqps:// url trusts; see `system.tls`.
        idle_max_s: a connection that was not used for longer is replaced before the next message.
        metrics: told of every message; None to count nothing.
    """

    def __init__(
        self,
        url: str,
        *,
        window: int = WINDOW,
        name: str = "publisher",
        rng: random.Random | None = None,
        trust: ssl.SSLContext | None = None,
        idle_max_s: float = IDLE_MAX_S,
        metrics: Metrics | None = None,
    ) -> None:
        self._link = Link(parameters(url, name, trust), rng or random.Random(), self)
        self._window = window
        self._metrics = metrics
        self._idle_max_s = idle_max_s
        self._used_at = time.monotonic()
        self._next_tag = 1
        self._order = _Order((), "", "", None)
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
        if begun - self._used_at > self._idle_max_s:
            self._link.end(polite_s=min(CLOSE_WITHIN_S, within_s) / 4)
        self._link.trouble = "no answer from the broker"
        self._batch, self._order = batch, _Order(envelopes, exchange, key, expiration_ms)
        try:
            self._link.open()
            self.ready()  # where it was open already
            if not batch.done:
                self._link.run(begun + within_s - time.monotonic())
        except BaseException:  # a time limit, Ctrl-C: what pika was amid of, nobody knows
            self._batch = None
            self._link.end(polite_s=0)
            batch.give_up("interrupted")
            self._tell(batch)
            raise
        self._batch, self._used_at = None, time.monotonic()
        if not batch.done:
            batch.give_up(self._link.trouble)
            self._link.end(polite_s=0)  # a late confirm must not meet the next batch
        self._tell(batch)
        return [fate for fate in batch.fates if fate is not None]

    def close(self) -> None:
        """Close the connection, in three seconds at most. May be called twice, and in any state."""
        self._link.end(polite_s=CLOSE_WITHIN_S)

    # What the link tells; see `link.User`.

    @property
    def busy(self) -> bool:
        """Whether a batch is at work."""
        return self._batch is not None

    def opened(self) -> None:
        """A new channel counts its delivery tags from 1."""
        self._next_tag = 1

    def ready(self) -> None:
        """Send what fits into the window."""
        self._pump()

    def lost(self) -> None:
        """What was on its way has to be sent again."""
        if self._batch is not None:
            self._batch.take_back()

    def refused(self) -> None:
        """Nothing more can be done for the batch."""
        if self._batch is not None:
            self._batch.give_up(self._link.trouble)
        self._link.stop()

    def returned(self, message_id: str) -> None:
        """Unroutable; its confirm follows."""
        if self._batch is not None:
            self._batch.came_back(message_id)

    def answered(self, method: Any) -> None:
        """Settle what the answer is about, and send what now fits into the window."""
        if self._batch is None:
            return
        self._link.works()
        order, nack = self._order, isinstance(method, Basic.Nack)
        self._batch.answer(
            method.delivery_tag,
            multiple=method.multiple,
            nack="the broker refused it (a full queue does that)" if nack else "",
            unroutable=f"unroutable: no queue is bound to exchange {order.exchange!r}"
            f" with key {order.key!r}",
            at=time.monotonic(),
        )
        self._pump()
        if len(self._batch.seconds) >= TELL_EVERY:
            self._tell(self._batch)

    def _tell(self, batch: Batch) -> None:
        if self._metrics is not None:
            # Not counted one by one: this is the path of every message.
            told = {**batch.told, Told.CONFIRMED: len(batch.seconds)}
            self._metrics.settled(told, batch.seconds)
            self._metrics.on_the_way(len(batch.on_the_way))
        batch.told.clear()
        batch.seconds.clear()

    def _pump(self) -> None:
        batch, order, link = self._batch, self._order, self._link
        if batch is None:
            return
        idle = not batch.on_the_way
        while (
            batch.todo
            and len(batch.on_the_way) < self._window
            and not link.blocked
            and link.channel is not None
            and link.channel.is_open
        ):
            envelope = order.envelopes[batch.todo[0]]
            try:
                link.channel.basic_publish(
                    order.exchange,
                    order.key,
                    envelope.body,
                    _properties(envelope, order.expiration_ms),
                    mandatory=True,
                )
            except (AMQPError, ValueError, TypeError, struct.error) as error:
                # Nothing of it was written: pika encodes all of a message first.
                batch.refuse_first(f"it cannot be written as AMQP: {error!r}")
                continue
            batch.send_first(self._next_tag, time.monotonic())
            self._next_tag += 1
        if idle and self._metrics is not None:
            self._metrics.on_the_way(len(batch.on_the_way))
        if batch.done:
            link.stop()


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
