"""Queries a lab's Prometheus for everything that `lab top` shows."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import Sample, Series
from lab.monitoring import metrics
from lab.monitoring.metrics import DEAD_LETTERED, FAULTS, LATENCY, OUTBOX, RUNTIME, TOOK_EFFECT
from lab.top.snapshot import (
    EFFECTS_CURVE,
    HISTORY_MAX,
    MEAN_CURVE,
    AlertSnapshot,
    Curves,
    Number,
    ObjectiveSnapshot,
    QueueSnapshot,
    Snapshot,
    WorkerSnapshot,
    queue_curve,
)
from system.contract import topology

WINDOW = "5s"
"""The window of rates: five scrapes of a lab."""
LATELY = "30s"
"""The window of latency, so that single messages at night are included, too."""
WATCHDOG = "Watchdog"
_PREFIX = "matches."
_RETRY = "process.retry."
_MEAN = metrics.mean(LATENCY, window=LATELY)
_GOALS = {"slo:objective:seconds": True, "slo:objective:ratio": False}


def take_snapshot(prometheus: Prometheus) -> Snapshot:
    """Query once.

    Raises:
        NoData: Prometheus does not answer.
    """
    ask = _Asking(prometheus)
    up = {(each.labels["job"], each.labels["instance"]): each.value for each in ask.vector("up")}
    outbox = ask.by(f"sum by (state) ({OUTBOX})", "state")
    faults = ask.by(f"max by (fault) ({FAULTS})", "fault")
    return Snapshot(
        age_s=ask.one("time() - max(timestamp(up))"),
        parts=len({instance for _, instance in up}),
        unreachable=sorted({instance for (_, instance), value in up.items() if value == 0}),
        queues=_queues(ask),
        workers=_workers(ask, up),
        accepted=ask.rates(metrics.ACCEPTED, "way"),
        effects=ask.rates(TOOK_EFFECT, "effect"),
        retries=ask.rates(metrics.RETRIED, "reason"),
        dead=ask.by(f"sum by (reason) ({DEAD_LETTERED})", "reason"),
        received=ask.rate("rabbitmq_global_messages_received_total"),
        acknowledged=ask.rate("rabbitmq_global_messages_acknowledged_total"),
        redelivered=ask.rate("rabbitmq_global_messages_redelivered_total"),
        waiting=outbox.get("waiting"),
        refused=outbox.get("refused"),
        oldest_s=ask.one(f"max({metrics.OUTBOX_AGE})"),
        mean_s=ask.one(_MEAN),
        p50_s=ask.one(metrics.quantile(0.5, LATENCY, window=LATELY)),
        p99_s=ask.one(metrics.quantile(0.99, LATENCY, window=LATELY)),
        objectives=_promises(ask),
        faults=sorted(name for name, value in faults.items() if value > 0) if faults else None,
        alerts=_alarms(prometheus),
    )


def load_curves(prometheus: Prometheus, step_s: float) -> Curves:
    """The curves of the time before the first snapshot, a point each `step_s` seconds.

    Raises:
        NoData: Prometheus does not answer.
    """
    end = time.time() - step_s
    begin = end - step_s * (HISTORY_MAX - 1)
    past = Curves()

    def recalled(query: str) -> list[Series]:
        return prometheus.range(query, begin, end, step_s)

    def drawn(points: Mapping[float, float]) -> list[Number]:
        known = {round((at - begin) / step_s): value for at, value in points.items()}
        return [_finite(known.get(place)) for place in range(HISTORY_MAX)]

    for series in recalled(_MEAN):
        past.begin(MEAN_CURVE, drawn(dict(series.points)))
    for series in recalled(f"sum(rate({TOOK_EFFECT}[{WINDOW}]))"):
        past.begin(EFFECTS_CURVE, drawn(dict(series.points)))
    queues: dict[str, dict[float, float]] = {}
    for series in recalled(f"sum by (queue) ({metrics.READY})"):
        added = queues.setdefault(_queue_name(series.labels.get("queue", "")), {})
        for at, value in series.points:
            added[at] = added.get(at, 0) + value
    for name, points in queues.items():
        past.begin(queue_curve(name), drawn(points))
    return past


def _finite(value: Number) -> Number:
    return value if value is not None and math.isfinite(value) else None


class _Asking:
    """Queries by the shape of their answer; a value that is not finite counts as none."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus

    def vector(self, query: str) -> list[Sample]:
        found = self._prometheus.vector(query)
        return [sample for sample in found if math.isfinite(sample.value)]

    def by(self, query: str, label: str) -> dict[str, float]:
        return {sample.labels.get(label, ""): sample.value for sample in self.vector(query)}

    def one(self, query: str) -> Number:
        found = self.vector(query)
        return found[0].value if len(found) == 1 else None

    def rates(self, counter: str, label: str) -> dict[str, float]:
        return self.by(metrics.rate(counter, label, window=WINDOW), label)

    def rate(self, counter: str) -> Number:
        return self.one(metrics.rate(counter, window=WINDOW))


def _queues(ask: _Asking) -> list[QueueSnapshot]:
    """The declared queues and any others; those of the retry steps as one."""

    def of(metric: str) -> dict[str, float]:
        added: dict[str, float] = {}
        for queue, value in ask.by(f"sum by (queue) ({metric})", "queue").items():
            name = _queue_name(queue)
            added[name] = added.get(name, 0) + value
        return added

    ready, unacked, consumers = map(of, (metrics.READY, metrics.UNACKED, metrics.CONSUMERS))
    return [
        QueueSnapshot(name, ready.get(name), unacked.get(name), consumers.get(name))
        for name in sorted(_DECLARED | ready.keys(), key=_place)
    ]


def _queue_name(queue: str) -> str:
    """The short name of a queue; those of the retry steps share one name."""
    name = queue.removeprefix(_PREFIX)
    return "retry" if name.startswith(_RETRY) else name


_DECLARED = frozenset(_queue_name(queue.name) for queue in topology.QUEUES)
_ORDER = ("process", "validate", "retry", "dead-letter")


def _place(name: str) -> tuple[int, str]:
    """In the order of a message's way; other queues come last."""
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER)), name


def _workers(ask: _Asking, up: Mapping[tuple[str, str], float]) -> list[WorkerSnapshot]:
    there = {name: value == 1 for (job, name), value in up.items() if job == "worker"}
    gauges = (metrics.CONSUMING, metrics.IN_FLIGHT, "missing_table_worker_concurrency")
    consuming, in_flight, places = (
        ask.by(f"sum by (instance) ({gauge})", "instance") for gauge in gauges
    )
    per_s = ask.rates(metrics.PROCESSED, "instance")
    runtime_s = ask.by(metrics.mean(RUNTIME, "instance", window=WINDOW), "instance")
    return [
        WorkerSnapshot(
            name,
            there=there[name],
            consuming=consuming[name] > 0 if name in consuming else None,
            in_flight=in_flight.get(name),
            places=places.get(name),
            per_s=per_s.get(name),
            runtime_s=runtime_s.get(name),
        )
        for name in sorted(there, key=lambda name: (len(name), name))  # worker-2 before worker-10
    ]


def _promises(ask: _Asking) -> list[ObjectiveSnapshot]:
    """The objectives: values of their shortest recorded window, budgets of the longest."""
    errors = ask.by("slo:sli_error:ratio_rate5m", "slo")
    means = ask.by("slo:sli_mean:seconds_rate5m", "slo")
    left = ask.by(
        "1 - slo:sli_error:ratio_rate3d / on (slo, service) slo:error_budget:ratio", "slo"
    )
    objectives = []
    for metric, in_seconds in _GOALS.items():
        for name, goal in sorted(ask.by(metric, "slo").items()):
            error = errors.get(name)
            share = None if error is None else 1 - error
            value = means.get(name) if in_seconds else share
            objectives.append(ObjectiveSnapshot(name, value, goal, left.get(name), in_seconds))
    return objectives


def _alarms(prometheus: Prometheus) -> list[AlertSnapshot]:
    """Alerts, firing ones first; without the watchdog, which always fires."""
    now = time.time()
    found = [
        AlertSnapshot(
            alert.name,
            alert.labels.get("severity", ""),
            alert.state == "firing",
            max(0.0, now - alert.since.timestamp()),
        )
        for alert in prometheus.alerts()
        if alert.name != WATCHDOG
    ]
    return sorted(found, key=lambda each: (not each.firing, each.name, each.severity))
