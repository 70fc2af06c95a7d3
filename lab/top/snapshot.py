"""What `lab top` shows of one moment, as values. None means "not known", and never 0."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

HISTORY_MAX = 120
"""Points of each curve: two minutes at one snapshot a second."""

Number = float | None


@dataclass(frozen=True, slots=True)
class QueueSnapshot:
    """A queue, or several that are shown as one."""

    name: str
    ready: Number
    unacked: Number
    consumers: Number


@dataclass(frozen=True, slots=True)
class WorkerSnapshot:
    """One worker.

    Attributes:
        there: whether Prometheus reaches it.
        consuming: whether it takes deliveries.
        in_flight, places: running tasks, and how many can run.
        per_s: attempts each second.
        runtime_s: mean of one attempt.
    """

    name: str
    there: bool
    consuming: bool | None
    in_flight: Number
    places: Number
    per_s: Number
    runtime_s: Number


@dataclass(frozen=True, slots=True)
class AlertSnapshot:
    """An alert that has been pending or firing for `for_s` seconds."""

    name: str
    severity: str
    firing: bool
    for_s: float


@dataclass(frozen=True, slots=True)
class ObjectiveSnapshot:
    """One objective.

    Attributes:
        value: the present value: a share, or a mean in seconds.
        goal: the share to reach, or the seconds to stay under.
        left: the share of the error budget that is left; None for a mean, which has none.
    """

    name: str
    value: Number
    goal: Number
    left: Number
    in_seconds: bool

    @property
    def kept(self) -> bool | None:
        """Whether the value meets the goal; None if one of them is not known."""
        if self.value is None or self.goal is None:
            return None
        return self.value < self.goal if self.in_seconds else self.value >= self.goal


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A lab at one moment. Rates are by the second, over the last seconds.

    Attributes:
        age_s: how old the newest scrape is.
        parts: the number of parts that are scraped; `unreachable` names those that do not answer.
        accepted: rates of the scraper's messages, by way.
        effects: rates of effects, by effect.
        retries: rates of retries, by reason.
        dead: dead letters of the workers since they started, by reason.
        received, acknowledged, redelivered: rates of the broker, over all queues.
        waiting, refused, oldest_s: the outbox; how long its first message waits.
        mean_s, p50_s, p99_s: latency of the messages that ended within the last seconds.
        faults: those that are active; None if that is not known.
    """

    age_s: Number
    parts: int
    unreachable: Sequence[str]
    queues: Sequence[QueueSnapshot]
    workers: Sequence[WorkerSnapshot]
    accepted: Mapping[str, float]
    effects: Mapping[str, float]
    retries: Mapping[str, float]
    dead: Mapping[str, float]
    received: Number
    acknowledged: Number
    redelivered: Number
    waiting: Number
    refused: Number
    oldest_s: Number
    mean_s: Number
    p50_s: Number
    p99_s: Number
    objectives: Sequence[ObjectiveSnapshot]
    faults: Sequence[str] | None
    alerts: Sequence[AlertSnapshot]


MEAN_CURVE, EFFECTS_CURVE = "mean", "effects"


def queue_curve(name: str) -> str:
    """The name of the curve of a queue's ready messages."""
    return f"queue {name}"


@dataclass
class Curves:
    """The last values of everything that is drawn as a curve, oldest first; bounded."""

    curves: dict[str, deque[Number]] = field(default_factory=dict)

    def begin(self, name: str, points: Sequence[Number]) -> None:
        """Begin a curve with earlier points."""
        self.curves[name] = deque(points, maxlen=HISTORY_MAX)

    def remember(self, seen: Snapshot) -> None:
        """Add a snapshot to every curve; a curve without a value in it gets a gap."""
        now = {queue_curve(queue.name): queue.ready for queue in seen.queues}
        now |= {MEAN_CURVE: seen.mean_s, EFFECTS_CURVE: total(seen.effects)}
        for name in self.curves.keys() | now.keys():
            self.curves.setdefault(name, deque(maxlen=HISTORY_MAX)).append(now.get(name))

    def last(self, name: str, count: int) -> list[Number]:
        """The last `count` points of a curve, or as many as there are."""
        return list(self.curves.get(name, ()))[-count:]


def total(parts: Mapping[str, float]) -> Number:
    """The sum; None if there is no part."""
    return sum(parts.values()) if parts else None
