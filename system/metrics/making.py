"""Making metrics: every series is there from the start, at 0, and known to the reference page.

A series that is missing is not a zero: the rate over it is empty, and an alert on it never fires.
So a label's values are a closed list, given when the metric is made, wherever they can be known.
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

Several = Literal["livesum", "livemax", "max", "mostrecent"]
"""What the processes of one folder say together: a gauge's values are added, or the greatest or the
latest one counts. With `live`, only those of processes that live do."""

Labels = Mapping[str, Sequence[str]]


class BatchHistogram(Histogram):
    """A histogram that takes many observations in one go, for paths where each write counts."""

    def observe_many(self, amounts: Sequence[float]) -> None:
        """As if each of `amounts` were observed, with one write for each bucket they fall into."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call]
        for at, count in Tally(bisect_left(self._upper_bounds, each) for each in amounts).items():
            self._buckets[at].inc(count)
        self._sum.inc(sum(amounts))


M = TypeVar("M", Counter, Gauge, BatchHistogram)


@dataclass(frozen=True, slots=True)
class Made:
    """A metric, described.

    Attributes:
        name: as Prometheus shows it.
        kind: counter, gauge or histogram.
        labels: label → its values; none where they are not a closed list.
        meaning: in words.
    """

    name: str
    kind: str
    labels: Mapping[str, tuple[str, ...]]
    meaning: str


class Maker:
    """Makes the metrics of one role, in a registry of its own.

    Attributes:
        registry: of this role and process.
        made: what was made so far, in order.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.made: list[Made] = []

    def counter(self, name: str, meaning: str, labels: Labels | None = None) -> Counter:
        """Make a counter; `_total` is put behind its name."""
        labels = labels or {}
        made = Counter(PREFIX + name, meaning, list(labels), registry=self.registry)
        return self._noted(made, f"{name}_total", "counter", meaning, labels)

    def gauge(
        self, name: str, meaning: str, labels: Labels | None = None, *, several: Several
    ) -> Gauge:
        """Make a gauge; `several` says what several processes mean together."""
        labels = labels or {}
        made = Gauge(
            PREFIX + name,
            meaning,
            list(labels),
            registry=self.registry,
            multiprocess_mode=several,
        )
        return self._noted(made, name, "gauge", meaning, labels)

    def histogram(
        self,
        name: str,
        meaning: str,
        labels: Labels | None = None,
        *,
        buckets: Sequence[float] = BUCKETS_S,
    ) -> BatchHistogram:
        """Make a histogram of seconds."""
        labels = labels or {}
        made = BatchHistogram(
            PREFIX + name, meaning, list(labels), buckets=buckets, registry=self.registry
        )
        return self._noted(made, name, "histogram", meaning, labels)

    def _noted(self, made: M, name: str, kind: str, meaning: str, labels: Labels) -> M:
        closed = {label: tuple(map(str, values)) for label, values in labels.items()}
        if closed:
            for values in product(*closed.values()):  # none, where a label has no closed list
                made.labels(*values)
        self.made.append(Made(PREFIX + name, kind, closed, meaning))
        return made


def values(words: Iterable[str]) -> tuple[str, ...]:
    """The values of a label from an enumeration of words."""
    return tuple(str(word) for word in words)
