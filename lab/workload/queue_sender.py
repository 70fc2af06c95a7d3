"""The queue way of a load: each message in its envelope, to the system's exchange, confirmed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lab.workload.observations import Message
from lab.workload.publisher import LoadPublisher
from system.contract import envelope as wire
from system.contract.envelope import Envelope
from system.contract.topology import EXCHANGE, PROCESS_QUEUE


class QueueSender:
    """A `lab.workload.generator.Sender` that publishes.

    Args:
        url: of the broker, as the scraper reaches it.
        accepted: called with each message that the broker has confirmed.
    """

    def __init__(self, url: str, accepted: Callable[[Message], None]) -> None:
        self._accepted = accepted
        self._open: dict[str, Message] = {}
        self._publisher = LoadPublisher(url, EXCHANGE, PROCESS_QUEUE, self._confirmed)

    @property
    def pending(self) -> int:
        """The number of messages that are not confirmed."""
        return self._publisher.pending

    @property
    def trouble(self) -> str:
        """What went wrong last, in words."""
        return self._publisher.last_error

    def send(self, message: Message) -> None:
        """Take a message over."""
        self._open[message.message_id] = message
        self._publisher.queue.append(
            wire.wrap(message.match, message_id=message.message_id, published_at=message.due)
        )

    def work(self, for_s: float) -> None:
        """Publish, and take in confirms; see `LoadPublisher.work`."""
        self._publisher.work(for_s)

    def left(self) -> Iterator[tuple[Message, bool]]:
        """What is not confirmed, each with whether it was sent."""
        for message_id, message in self._open.items():
            yield message, message_id in self._publisher.sent

    def close(self) -> None:
        """Close the connection."""
        self._publisher.close()

    def _confirmed(self, envelope: Envelope) -> None:
        self._accepted(self._open.pop(envelope.message_id))
