"""Publishing for load: many messages in flight at once, each sent again until it is confirmed.

The lab's own publisher, on another library than the pipeline's, so that a mistake in the pipeline's
publisher cannot hide itself. It belongs to one thread; nothing happens outside of `work`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from kombu.connection import Connection

from lab.wait import run_for
from system.contract.addresses import addresses
from system.contract.envelope import Envelope

WINDOW = 200
CONNECT_S = 2.0
PAUSE_S = 0.5
"""Between two attempts to connect."""
CONFIRM_S = 10.0
"""A connection whose oldest message waits longer for its confirm is given up as dead."""
_PERSISTENT = 2


class LoadPublisher:
    """A publisher of messages that must arrive.

    Attributes:
        queue: messages not sent, or to be sent again.
        sent: ids that were sent at least once and are not confirmed.
        last_error: what went wrong last, in words.
    """

    def __init__(
        self, url: str, exchange: str, key: str, confirmed: Callable[[Envelope], None]
    ) -> None:
        """Prepare; connects to nothing yet.

        Args:
            url: of the broker; of a cluster several, with `;` between them.
            exchange: to publish to.
            key: the routing key.
            confirmed: called for each message that the broker has on disk, in a queue.
        """
        self._exchange, self._key = exchange, key
        self._confirmed = confirmed
        self.queue: deque[Envelope] = deque()
        self.sent: set[str] = set()
        self.last_error = ""
        # kombu's own connection would try again for seconds by itself; its transport does not.
        patience = {"read_timeout": CONNECT_S, "write_timeout": CONNECT_S}
        self._transports: deque[Any] = deque(
            Connection(each, connect_timeout=CONNECT_S, transport_options=patience).transport
            for each in addresses(url)
        )
        self._errors = (
            *self._transports[0].connection_errors,
            *self._transports[0].channel_errors,
            OSError,
        )
        self._connection: Any = None
        self._channel: Any = None
        self._next_tag = 1
        self._next_try = 0.0
        self._in_flight: dict[int, tuple[Envelope, float]] = {}
        self._returned: set[str] = set()
        self._blocked = False

    @property
    def pending(self) -> int:
        """The number of messages that are not confirmed."""
        return len(self.queue) + len(self._in_flight)

    def work(self, for_s: float) -> None:
        """Send what may be sent, and receive confirms, for about `for_s` seconds."""
        if self._connection is None and not self._connect():
            run_for(for_s)
            return
        try:
            self._send()
            with suppress(TimeoutError):
                self._connection.drain_events(timeout=max(for_s, 0.001))
            oldest = next(iter(self._in_flight.values()), None)
            if oldest and time.monotonic() - oldest[1] > CONFIRM_S:
                self._drop(f"no confirm within {CONFIRM_S:g} s")
        except self._errors as error:
            self._drop(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Close the connection: in order if everything is confirmed, else at once."""
        if self._connection is not None and not self.pending:
            with suppress(*self._errors):
                self._connection.close()
        self._drop("closed")

    def _connect(self) -> bool:
        if time.monotonic() < self._next_try:
            return False
        self._next_try = time.monotonic() + PAUSE_S
        try:
            self._connection = self._transports[0].establish_connection()
            channel = self._connection.channel()
            channel.events["basic_ack"].add(self._on_ack)
            channel.events["basic_nack"].add(self._on_nack)
            channel.events["basic_return"].add(self._on_return)
            self._connection.on_blocked = self._on_blocked
            self._connection.on_unblocked = self._on_unblocked
            channel.confirm_select()
        except self._errors as error:
            self._drop(f"{type(error).__name__}: {error}")
            return False
        self._channel, self._next_tag, self._blocked = channel, 1, False
        return True

    def _drop(self, why: str) -> None:
        """Give the connection up. What was on its way is sent again first, in its order."""
        self.last_error = why
        self._transports.rotate(-1)  # of a cluster, the next node
        self.queue.extendleft(envelope for envelope, _ in reversed(self._in_flight.values()))
        self._in_flight.clear()
        self._returned.clear()
        if self._connection is not None:
            with suppress(Exception):  # it is broken in an unknown way, and not used any more
                self._connection.collect()
        self._connection = self._channel = None

    def _send(self) -> None:
        while self.queue and len(self._in_flight) < WINDOW and not self._blocked:
            envelope = self.queue.popleft()
            self._in_flight[self._next_tag] = (envelope, time.monotonic())
            self.sent.add(envelope.message_id)
            self._next_tag += 1
            message = self._channel.prepare_message(
                envelope.body,
                content_type=envelope.content_type,
                content_encoding=envelope.content_encoding,
                headers=dict(envelope.headers),
                properties={
                    "message_id": envelope.message_id,
                    "correlation_id": envelope.message_id,
                    "delivery_mode": _PERSISTENT,
                },
            )
            self._channel.basic_publish(
                message, exchange=self._exchange, routing_key=self._key, mandatory=True
            )

    def _on_return(self, _why: object, _exchange: str, _key: str, message: Any) -> None:
        """Unroutable; its confirm follows, and says only that the broker looked."""
        self._returned.add(message.properties["message_id"])

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for envelope in self._take(tag, multiple):
            if envelope.message_id in self._returned:
                self._returned.discard(envelope.message_id)
                self._send_again(envelope, "unroutable")
            else:
                self.sent.discard(envelope.message_id)
                self._confirmed(envelope)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for envelope in self._take(tag, multiple):
            self._send_again(envelope, "refused")

    def _on_blocked(self, reason: str) -> None:
        self._blocked = True
        self.last_error = f"the broker blocks publishers: {reason}"

    def _on_unblocked(self) -> None:
        self._blocked = False

    def _take(self, tag: int, multiple: bool) -> list[Envelope]:
        tags = [sent_tag for sent_tag in self._in_flight if sent_tag <= tag] if multiple else [tag]
        return [self._in_flight.pop(settled)[0] for settled in tags if settled in self._in_flight]

    def _send_again(self, envelope: Envelope, why: str) -> None:
        """It is certainly in no queue: send it once more, after those that are queued."""
        self.last_error = why
        self.sent.discard(envelope.message_id)
        self.queue.append(envelope)
