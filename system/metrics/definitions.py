"""The definitions of metrics: every series exists from the start, at 0, and is in the reference.

A series that is missing is not a zero: the rate over it is empty, and an alert on it never fires.
So the values of a label are a closed list, given when the metric is created, if they are known.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "missing_table_"

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper edges in seconds. The objective for the mean is 0.5 s, so there is an edge at it."""

LATENCY_BUCKETS_S = (*BUCKETS_S, 30.0, 60.0, 300.0, 3600.0)
"""For times that hold waiting: a message may wait in a queue for hours."""

MultiprocessMode = Literal["livesum", "livemax", "max", "mostrecent"]
"""How the gauges of the processes of one folder are combined: added, or the greatest or the latest
one counts. With `live`, only the processes that are alive count."""

Labels = Mapping[str, Sequence[str]]


class BatchHistogram(Histogram):
    """A histogram that takes many observations at once, for code in which each write costs."""

    def observe_many(self, amounts: Sequence[float]) -> None:
        """As if each of `amounts` were observed, with one write for each bucket they fall into."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call]
        for at, count in Tally(
            bisect_left(self._upper_bounds, amount) for amount in amounts
        ).items():
            self._buckets[at].inc(count)
        self._sum.inc(sum(amounts))


M = TypeVar("M", Counter, Gauge, BatchHistogram)


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """A metric, described.

    Attributes:
        name: as Prometheus shows it.
        kind: counter, gauge or histogram.
        labels: label → its values; empty if they are not a closed list.
        meaning: in words.
    """

    name: str
    kind: str
    labels: Mapping[str, tuple[str, ...]]
    meaning: str


class MetricFactory:
    """Creates the metrics of one role, in a registry of its own.

    Attributes:
        registry: of this role and process.
        specs: the metrics created so far, in order.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.specs: list[MetricSpec] = []

    def counter(self, name: str, meaning: str, labels: Labels | None = None) -> Counter:
        """Create a counter; `_total` is appended to its name."""
        labels = labels or {}
        metric = Counter(PREFIX + name, meaning, list(labels), registry=self.registry)
        return self._register(metric, f"{name}_total", "counter", meaning, labels)

    def gauge(
        self,
        name: str,
        meaning: str,
        labels: Labels | None = None,
        *,
        multiprocess_mode: MultiprocessMode,
    ) -> Gauge:
        """Create a gauge; `multiprocess_mode` says how several processes are combined."""
        labels = labels or {}
        metric = Gauge(
            PREFIX + name,
            meaning,
            list(labels),
            registry=self.registry,
            multiprocess_mode=multiprocess_mode,
        )
        return self._register(metric, name, "gauge", meaning, labels)

    def histogram(
        self,
        name: str,
        meaning: str,
        labels: Labels | None = None,
        *,
        buckets: Sequence[float] = BUCKETS_S,
    ) -> BatchHistogram:
        """Create a histogram of seconds."""
        labels = labels or {}
        metric = BatchHistogram(
            PREFIX + name, meaning, list(labels), buckets=buckets, registry=self.registry
        )
        return self._register(metric, name, "histogram", meaning, labels)

    def _register(self, metric: M, name: str, kind: str, meaning: str, labels: Labels) -> M:
        closed = {label: tuple(map(str, values)) for label, values in labels.items()}
        if closed:
            for values in product(*closed.values()):  # none if a label has no closed list
                metric.labels(*values)
        self.specs.append(MetricSpec(PREFIX + name, kind, closed, meaning))
        return metric


def values(words: Iterable[str]) -> tuple[str, ...]:
    """The values of a label from an enumeration of words."""
    return tuple(str(word) for word in words)
