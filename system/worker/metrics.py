"""What a worker counts: the outcome of every attempt, and the time that it took.

Its children count what they handle, its main process what the gate refuses, each in files of its
own; they are served together as the metrics of the worker. A child that is killed amid a task
cannot count it: RabbitMQ's own metrics show the redelivery.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from system.contract.envelope import HELLO_TASK, PROCESS_TASK, VALIDATE_TASK
from system.contract.reasons import OWN_FAULT, Reason
from system.contract.submission import Effect, Way
from system.metrics.definitions import MetricFactory, values
from system.metrics.effects import EffectMetrics, End, LatencyMetric
from system.metrics.publishing import PublisherName, PublishMetrics
from system.settings import SinkKind
from system.worker.retry import Cause

TASKS = (PROCESS_TASK, VALIDATE_TASK, HELLO_TASK)
RETRIED, DEAD_LETTERED, RETURNED = "retried", "dead_lettered", "returned"
_APPLIED = tuple(effect for effect in Effect if effect is not Effect.INVALID)


class TaskRun:
    """A running task. It has succeeded unless `failed` is called."""

    def __init__(self) -> None:
        self.outcome = "succeeded"

    def failed(self) -> None:
        """The attempt failed, though nothing was raised."""
        self.outcome = "failed"


class BatchRun:
    """A running batch. Each of its matches has succeeded unless `failed` is called for it."""

    def __init__(self) -> None:
        self.failures = 0

    def failed(self) -> None:
        """One of the attempts failed, though nothing was raised."""
        self.failures += 1


class WorkerMetrics:
    """The metrics of one process of a worker.

    Args:
        factory: creates them.
        sink: where this worker hands matches to; with the database sink, effects are counted here.

    Attributes:
        effects: None if the backend counts them.
        publishing: of the children's publisher and of the gate's.
    """

    def __init__(self, factory: MetricFactory, sink: SinkKind) -> None:
        self._processed = factory.counter(
            "messages_processed",
            "Attempts by their outcome: an effect, retried, dead_lettered, or returned (to the"
            " broker, since no retry or dead letter could be made sure of)",
            {"outcome": (*values(_APPLIED), RETRIED, DEAD_LETTERED, RETURNED)},
        )
        self._retries = factory.counter(
            "retries", "Messages sent to wait, by what they wait for", {"reason": values(Cause)}
        )
        self._dead = factory.counter(
            "dead_lettered", "Messages given up by the worker", {"reason": values(Reason)}
        )
        ends = (
            (End.COMMITTED, End.DEAD_LETTERED)
            if sink is SinkKind.DATABASE
            else (End.DEAD_LETTERED,)
        )
        self._latency = LatencyMetric(factory, ends, (Way.QUEUE,))
        self.effects = (
            EffectMetrics(factory, self._latency, (Way.QUEUE,))
            if sink is SinkKind.DATABASE
            else None
        )
        self._runtime = factory.histogram(
            "task_runtime_seconds",
            "Time of one attempt, failed ones included",
            {"task": TASKS, "outcome": ("succeeded", "failed")},
        )
        self._sink = factory.histogram(
            "sink_seconds", "Time to hand matches on, one or a batch", {"sink": (sink,)}
        ).labels(sink)
        self._in_flight = factory.gauge(
            "tasks_in_flight", "Tasks that run now", multiprocess_mode="livesum"
        )
        self.publishing = PublishMetrics(
            factory, (PublisherName.WORKER_RETRY, PublisherName.WORKER_GATE)
        )

    def applied(self, effect: Effect, count: int = 1) -> None:
        """So many matches took effect, or were rightly without effect."""
        self._processed.labels(effect).inc(count)

    def retried(self, cause: Cause) -> None:
        """A message waits for another attempt; the broker has confirmed it."""
        self._processed.labels(RETRIED).inc()
        self._retries.labels(cause).inc()

    def dead_lettered(self, reason: Reason, since: datetime | None) -> None:
        """A message was given up, and the broker has confirmed its dead letter.

        A message that is itself at fault has no latency: to give it up was right.

        Args:
            since: when it was first published; None if that is not known.
        """
        self._processed.labels(DEAD_LETTERED).inc()
        self._dead.labels(reason).inc()
        if since is not None and reason not in OWN_FAULT:
            self._latency.ended(End.DEAD_LETTERED, Way.QUEUE, since)

    def returned(self) -> None:
        """A message goes back to the broker, which delivers it again or dead-letters it."""
        self._processed.labels(RETURNED).inc()

    @contextmanager
    def task(self, name: str) -> Iterator[TaskRun]:
        """Time a task of a pool child; an exception counts as a failure."""
        running, begun = TaskRun(), time.perf_counter()
        # Set, not counted up and down: a child has one task at a time, and if a time limit cuts off
        # the end of this, the next task corrects it.
        self._in_flight.set(1)
        try:
            yield running
        except BaseException:
            running.failed()
            raise
        finally:
            self._in_flight.set(0)
            seconds = time.perf_counter() - begun
            self._runtime.labels(name, running.outcome).observe(seconds)

    @contextmanager
    def tasks(self, count: int) -> Iterator[BatchRun]:
        """Time a batch of matches: for each of them, it took as long as the whole.

        If it raises, none of them counts as succeeded: they are tried again.
        """
        running, begun = BatchRun(), time.perf_counter()
        self._in_flight.set(count)
        failed = count
        try:
            yield running
            failed = running.failures
        finally:
            self._in_flight.set(0)
            seconds = time.perf_counter() - begun
            for outcome, many in (("succeeded", count - failed), ("failed", failed)):
                self._runtime.labels(PROCESS_TASK, outcome).observe_many([seconds] * many)

    @contextmanager
    def sink(self) -> Iterator[None]:
        """Time the sink."""
        with self._sink.time():
            yield


class MainMetrics:
    """What only the main process of a worker knows of itself."""

    def __init__(self, factory: MetricFactory, concurrency: int) -> None:
        self._consuming = factory.gauge(
            "worker_consuming",
            "1 while the worker takes matches, 0 while it does not (its broker is away, or it is"
            " braked)",
            multiprocess_mode="livemax",
        )
        self._braked = factory.gauge(
            "worker_braked",
            "1 while the worker takes no matches, or one at a time, since those before met nothing"
            " but bugs of its own",
            multiprocess_mode="livemax",
        )
        factory.gauge(
            "worker_concurrency", "Pool children that the worker keeps", multiprocess_mode="livemax"
        ).set(concurrency)
        factory.gauge(
            "worker_start_time_seconds",
            "When the worker's main process started, in seconds since 1970",
            multiprocess_mode="livemax",
        ).set(time.time())

    def consuming(self, does: bool) -> None:
        """Set whether it takes deliveries."""
        self._consuming.set(does)

    def braked(self, is_braked: bool) -> None:
        """Set whether its brake is applied; it is connected, and consumes if it is not."""
        self._braked.set(is_braked)
        self._consuming.set(not is_braked)
