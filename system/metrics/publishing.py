"""What became of what was published, and how long the broker took to confirm it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import Counter, Gauge

from system.messaging.batch import Told
from system.metrics.making import BatchHistogram, Maker, values


class PublisherName(StrEnum):
    """Who publishes: a publisher's name among the broker's connections, too."""

    SCRAPER = "scraper"
    WORKER_RETRY = "worker-retry"
    WORKER_GATE = "worker-gate"


class Publishing:
    """The metrics of all publishers of one role.

    Args:
        maker: of the role.
        names: of its publishers.
    """

    def __init__(self, maker: Maker, names: Sequence[PublisherName]) -> None:
        label = {"publisher": values(names)}
        self._told = maker.counter(
            "published",
            "Messages by what the broker said: confirmed (it has them), returned (no queue is"
            " bound), nacked (it would not have them), refused (not sent, or of no use), unknown"
            " (sent, never answered)",
            {**label, "outcome": values(Told)},
        )
        self._seconds = maker.histogram(
            "publish_seconds", "Time from the first sending of a message to its confirm", label
        )
        self._unconfirmed = maker.gauge(
            "publisher_unconfirmed",
            "Messages on their way to the broker, not answered yet; counted every 64 messages",
            label,
            several="livesum",
        )

    def of(self, name: PublisherName) -> PublisherMetrics:
        """The metrics of one publisher."""
        return PublisherMetrics(
            {each: self._told.labels(name, each) for each in Told},
            self._seconds.labels(name),
            self._unconfirmed.labels(name),
        )


@dataclass(frozen=True)
class PublisherMetrics:
    """The metrics of one publisher; see `publisher.Metrics`."""

    _told: Mapping[Told, Counter]
    _seconds: BatchHistogram
    _unconfirmed: Gauge

    def settled(self, told: Mapping[Told, int], seconds: Sequence[float]) -> None:
        """Count messages by what was told of them, and the times of those confirmed."""
        for each, count in told.items():
            self._told[each].inc(count)
        self._seconds.observe_many(seconds)

    def on_the_way(self, count: int) -> None:
        """So many are unanswered now."""
        self._unconfirmed.set(count)
