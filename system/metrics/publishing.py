"""The outcomes of published messages, and how long the broker took to confirm them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import Counter, Gauge

from system.messaging.batch import DetailedOutcome
from system.metrics.definitions import BatchHistogram, MetricFactory, values


class PublisherName(StrEnum):
    """The publishers; also their names among the broker's connections."""

    SCRAPER = "scraper"
    WORKER_RETRY = "worker-retry"
    WORKER_GATE = "worker-gate"


class PublishMetrics:
    """The metrics of all publishers of one role.

    Args:
        factory: of the role.
        names: of its publishers.
    """

    def __init__(self, factory: MetricFactory, names: Sequence[PublisherName]) -> None:
        label = {"publisher": values(names)}
        self._outcomes = factory.counter(
            "published",
            "Messages by what the broker said: confirmed (it has them), returned (no queue is"
            " bound), nacked (it would not have them), refused (not sent, or of no use), unknown"
            " (sent, never answered)",
            {**label, "outcome": values(DetailedOutcome)},
        )
        self._seconds = factory.histogram(
            "publish_seconds", "Time from the first sending of a message to its confirm", label
        )
        self._unconfirmed = factory.gauge(
            "publisher_unconfirmed",
            "Messages on their way to the broker, not answered yet; counted every 64 messages",
            label,
            multiprocess_mode="livesum",
        )

    def of(self, name: PublisherName) -> PublisherMetrics:
        """The metrics of one publisher."""
        return PublisherMetrics(
            {outcome: self._outcomes.labels(name, outcome) for outcome in DetailedOutcome},
            self._seconds.labels(name),
            self._unconfirmed.labels(name),
        )


@dataclass(frozen=True)
class PublisherMetrics:
    """The metrics of one publisher; see `publisher.PublishObserver`."""

    _outcomes: Mapping[DetailedOutcome, Counter]
    _seconds: BatchHistogram
    _unconfirmed: Gauge

    def settled(self, outcomes: Mapping[DetailedOutcome, int], seconds: Sequence[float]) -> None:
        """Count messages by outcome; `seconds` are the times to confirm of those confirmed."""
        for outcome, count in outcomes.items():
            self._outcomes[outcome].inc(count)
        self._seconds.observe_many(seconds)

    def in_flight(self, count: int) -> None:
        """`count` messages are unanswered now."""
        self._unconfirmed.set(count)
