"""Celery's seam for deliveries of one task (`Task.Strategy`): gathers matches into batches.

    gate ──> Gatherer ──┬── one match ────> Celery's own way, as without coalescing
                        └── several ──────> Batch ──> one pool child (`worker.batch`)
                                              │
              settled: acknowledged <─────────┼─────> not settled, or the child is lost:
                                              │       each of them the first way, alone
                           could not be put aside: back to the queue

Runs in the main process. Nothing is acknowledged before the child has reported, and each delivery
by its own outcome; those that stand together go in one frame (`worker.acknowledging`). A batch that
dies with its child convicts nobody: its messages are tried alone, and Celery's own handling of lost
children and time limits decides about the one that did it. What the broker delivers again goes
alone from the start.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from billiard.exceptions import Terminated
from celery.worker import state
from celery.worker.strategy import default

from system.worker import batch
from system.worker.acknowledging import Acknowledging, Frame
from system.worker.batch import Call, Fate
from system.worker.brake import Phase
from system.worker.coalescing import Waiting
from system.worker.gate import Admitted

if TYPE_CHECKING:
    from system.worker.app import WorkerApp

log = structlog.get_logger("worker")

Settle = Callable[..., None]
LOOK_AGAIN_S = 0.2
"""Whether the brake is applied meanwhile, or what met bugs was followed by what met none."""


@dataclass(slots=True)
class Delivery:
    """A delivery that passed the gate."""

    message: Any
    admitted: Admitted

    def call(self) -> Call:
        """What the pool child is given."""
        return batch.call_of(self.admitted)


class Gatherer:
    """The handler of the deliveries of one task; Celery makes one for each connection."""

    def __init__(self, task: Any, app: WorkerApp, consumer: Any) -> None:
        self.task, self.app, self.consumer = task, app, consumer
        self.errors = consumer.connection_errors
        self._alone = default(task, app, consumer)
        self._waiting: Waiting[Delivery] = Waiting(app.coalescing, random.Random().randrange)
        self._acknowledging: Acknowledging[Any] = Acknowledging(app.coalescing.size)
        self._under_way = 0
        self._timer: Any = None
        self._closed = False
        if app.gatherer is not None:
            app.gatherer.close()
        app.gatherer = self

    def delivered(self, message: Any) -> None:
        """Any delivery of the channel has come, also one of another task."""
        self._acknowledging.delivered(message)

    def take(self, message: Any, admitted: Admitted) -> None:
        """Take a delivery of this task."""
        again = bool(message.delivery_info.get("redelivered"))
        self._add(Delivery(message, admitted), alone=again)
        self.hand_over()

    def settled(self, messages: Sequence[Any]) -> None:
        """Acknowledge deliveries: now, or soon with those before them."""
        self._send(self._acknowledging.settled(messages))

    def close(self) -> None:
        """Forget what waits: its connection is lost, and the broker delivers it again."""
        self._closed = True
        self._waiting.empty()

    def give_back(self) -> None:
        """Give what waits back to the queue: this worker is braked, another one may be well."""
        for delivery in self._waiting.empty():
            self.give_back_one(delivery)

    def give_back_one(self, delivery: Delivery) -> None:
        """Give a delivery back to the queue."""
        self._soon(delivery.message.reject_log_error)(log, self.errors, requeue=True)

    def hand_over(self) -> None:
        """Hand over what is due, and come back when more is."""
        while not self._closed:
            if self.app.brake.phase is Phase.RELEASED and self.app.streak.is_long():
                self._wake_up_in(LOOK_AGAIN_S)  # the brake is about to be applied
                return
            due_s = self._waiting.due_in(self._under_way, time.monotonic())
            if due_s is None:
                return
            if due_s > 0:
                self._wake_up_in(due_s)
                return
            self._start(self._waiting.take())

    def done(self, alone: Sequence[Delivery] = ()) -> None:
        """What was handed over is done.

        Args:
            alone: what of it is to be tried alone.
        """
        self._under_way -= 1
        if not self._under_way:
            self._send(self._acknowledging.all_owed())
        for delivery in alone:
            self._add(delivery, alone=True)
        if self.app.brake.phase is Phase.PAUSED:
            self.give_back()
        self.hand_over()

    def _add(self, delivery: Delivery, *, alone: bool) -> None:
        size = len(delivery.message.body)
        self._waiting.add(delivery, time.monotonic(), size, alone=alone)

    def _start(self, deliveries: list[Delivery]) -> None:
        self._under_way += 1
        if len(deliveries) == 1:
            self._start_one(deliveries[0])
        else:
            request = Batch(self, deliveries)
            state.task_reserved(request)
            self.consumer.on_task_request(request)

    def _start_one(self, delivery: Delivery) -> None:
        """Celery's own way; it ends with one of the two settlements."""
        message = delivery.message
        delivery.admitted.put_into(message)
        try:
            self._alone(
                message,
                None,
                self._then_done(self._soon(message.ack_log_error)),
                self._then_done(self._soon(message.reject_log_error)),
                self.consumer.on_task_message,
            )
        except Exception as error:  # a bug; the loop that takes deliveries must not end by it
            log.exception("failed", message_id=message.headers["id"], error=repr(error))
            self._then_done(self._soon(message.reject_log_error))(log, self.errors, requeue=True)

    def _then_done(self, settle: Settle) -> Settle:
        def settled(*args: Any, **kwargs: Any) -> None:
            settle(*args, **kwargs)
            self.done()

        return settled

    def _send(self, frames: Sequence[Frame[Any]]) -> None:
        # At once, for the loop does what it is asked to do soon in any order; and a broker ends the
        # connection if it is told of a delivery that an earlier frame has covered.
        with suppress(BrokenPipeError):  # it is logged, and the loop will find out by itself
            for message, multiple in frames:
                message.ack_log_error(log, self.errors, multiple=multiple)

    def _soon(self, settle: Settle) -> Settle:
        """As Celery does: the loop sends the frame, and one that fails ends the connection."""
        return partial(self.consumer.call_soon_ack, settle)

    def _wake_up_in(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = self.consumer.timer.call_after(seconds, self._wake_up)

    def _wake_up(self) -> None:
        self._timer = None
        self.hand_over()


class Batch:
    """Several deliveries on their way through one pool child; to Celery's worker, a request."""

    def __init__(self, gatherer: Gatherer, deliveries: list[Delivery]) -> None:
        self.id = f"batch-{uuid.uuid4()}"
        self.name = gatherer.task.name
        self.task = gatherer.task
        self.acknowledged = False
        self._gatherer = gatherer
        self._deliveries = deliveries
        self._child: int | None = None
        self._result: Any = None

    def execute_using_pool(self, pool: Any, **_: Any) -> None:
        """Called by Celery when a pool child is free."""
        self._result = pool.apply_async(
            batch.apply,
            args=([delivery.call() for delivery in self._deliveries],),
            accept_callback=self._on_accepted,
            timeout_callback=self._on_timeout,
            callback=self._on_report,
            error_callback=self._on_lost,
            soft_timeout=self.task.soft_time_limit,
            timeout=self.task.time_limit,
            correlation_id=self.id,
        )

    def cancel(self, pool: Any, signal: Any = None) -> None:
        """Called by Celery if the connection is lost: the broker delivers all of it again."""
        self.acknowledged = True
        state.task_ready(self)
        if self._child is not None:
            pool.terminate_job(self._child, signal)
        if self._result is not None:
            self._result.terminate(signal)

    def _on_accepted(self, pid: int, _accepted_at: float) -> None:
        self._child = pid
        state.task_accepted(self)

    def _on_timeout(self, soft: bool, timeout: float) -> None:
        log.warning(
            "a batch takes too long", limit="soft" if soft else "hard", seconds=timeout, **self._who
        )

    def _on_report(self, fates: list[Fate]) -> None:
        """The child has reported: the first moment at which anything may be acknowledged."""
        if self.acknowledged:
            return
        self.acknowledged = True
        state.task_ready(self, successful=True)
        by_fate: dict[Fate, list[Delivery]] = {fate: [] for fate in Fate}
        for delivery, fate in zip(self._deliveries, fates, strict=True):
            by_fate[fate].append(delivery)
        self._acknowledge(by_fate[Fate.SETTLED])
        for delivery in by_fate[Fate.RETURNED]:
            self._gatherer.give_back_one(delivery)
        self._gatherer.done(by_fate[Fate.ALONE])

    def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        self._gatherer.settled([delivery.message for delivery in deliveries])

    def _on_lost(self, info: Any) -> None:
        """The child is lost, was killed at the hard time limit, or has a bug."""
        state.task_ready(self)
        if self.acknowledged:
            return
        self.acknowledged = True
        error = getattr(info.exception, "exc", info.exception)
        if isinstance(error, Terminated):
            return  # cancelled
        log.warning("a batch is lost; each of it is tried alone", error=repr(error), **self._who)
        self._gatherer.done(self._deliveries)

    @property
    def _who(self) -> dict[str, Any]:
        return {"batch": self.id, "messages": len(self._deliveries)}
