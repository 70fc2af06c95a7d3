"""What messages did to the stored matches, and how long after their publishing it was done.

Observed by the process that made the commit: the backend, or a worker with the database sink.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from system.contract.submission import Effect, Outcome, Submission, Way
from system.metrics.definitions import LATENCY_BUCKETS_S, MetricFactory, values


class End(StrEnum):
    """How the way of a message ended: its effect is committed, or it was given up."""

    COMMITTED = "committed"
    DEAD_LETTERED = "dead_lettered"


class LatencyMetric:
    """Time from a message's first publish to its end.

    Args:
        ends: the ends that this role observes.
        ways: the ways by which messages come to this role.
    """

    def __init__(self, factory: MetricFactory, ends: Sequence[End], ways: Sequence[Way]) -> None:
        self._seconds = factory.histogram(
            "message_latency_seconds",
            "Time from a message's first publish (its arrival, where that is unknown) to its end;"
            " not of messages that are themselves at fault",
            {"outcome": values(ends), "way": values(ways)},
            buckets=LATENCY_BUCKETS_S,
        )

    def ended(self, end: End, way: Way, *since: datetime) -> None:
        """Messages that were published at these times have come to their end now."""
        now = datetime.now(UTC)
        self._seconds.labels(end, way).observe_many(
            [max(0.0, (now - each).total_seconds()) for each in since]
        )


class EffectMetrics:
    """Counts effects, and the latency of those that were committed."""

    def __init__(self, factory: MetricFactory, latency: LatencyMetric, ways: Sequence[Way]) -> None:
        self._latency = latency
        self._effects = factory.counter(
            "effects",
            "Messages by what they did to the stored match",
            {"effect": values(Effect), "way": values(ways)},
        )

    def applied(
        self, submissions: Iterable[Submission], outcomes: Iterable[Outcome], arrived_at: datetime
    ) -> None:
        """Count the effects of messages; call it after the commit.

        Duplicates and invalid messages have no latency: they committed nothing.
        """
        effects: Tally[tuple[Effect, Way]] = Tally()
        since: dict[Way, list[datetime]] = {}
        for submission, outcome in zip(submissions, outcomes, strict=True):
            effects[outcome.effect, submission.way] += 1
            if outcome.effect not in (Effect.DUPLICATE, Effect.INVALID):
                published_at = submission.published_at or arrived_at
                since.setdefault(submission.way, []).append(published_at)
        for (effect, way), count in effects.items():
            self._effects.labels(effect, way).inc(count)
        for way, times in since.items():
            self._latency.ended(End.COMMITTED, way, *times)

    def broken(self, way: Way = Way.HTTP) -> None:
        """Count a message that could not even be read as a submission."""
        self._effects.labels(Effect.INVALID, way).inc()
