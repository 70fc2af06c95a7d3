"""Carries out what `worker.brake` decides: stops taking matches, tries one, takes them again.

Only the queue of matches is left alone; greetings and validations go on, and the connection, its
heartbeats and the file of `worker.health` do, too: a restart would not mend the worker.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery import bootsteps

from system.contract.topology import PROCESS_QUEUE
from system.worker.brake import Phase, State, Tally, next_state, taken
from system.worker.heartbeat import Heartbeat

log = structlog.get_logger("worker")

EVERY_S = 0.2


class Braking(bootsteps.StartStopStep):
    """Looks at the tally of the pool's children five times a second, while the consumer runs.

    The brake's state belongs to the application, so that it outlasts a lost connection.
    """

    requires = (Heartbeat,)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        self._timer: Any = None
        super().__init__(parent, **kwargs)

    def start(self, parent: Any) -> None:
        """Begin with the consumer; a queue that was left alone stays so."""
        self._show(parent, parent.app.brake)
        self._timer = parent.timer.call_repeatedly(EVERY_S, self._tick, (parent,))

    def stop(self, _parent: Any) -> None:
        """End with the consumer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    shutdown = stop

    def _tick(self, parent: Any) -> None:
        app, now = parent.app, time.monotonic()
        before, tally = app.brake, app.streak.tally()
        app.brake = next_state(before, tally, now, app.brake_limits)
        if app.brake.phase is not before.phase:
            self._carry_out(parent, before, tally)
        # Taken one at a time, not consumed: an answer would let the broker deliver the next one.
        seeks = app.brake.phase is Phase.TRYING and app.brake.until is None
        if seeks and parent.take_one(PROCESS_QUEUE):
            app.brake = taken(app.brake, now, app.brake_limits)

    def _carry_out(self, parent: Any, before: State, tally: Tally) -> None:
        app = parent.app
        self._show(parent, app.brake)
        if app.brake.phase is Phase.PAUSED:
            log.error(
                "paused",
                messages_in_a_row=tally.in_a_row,
                pause=app.brake.pauses,
                seconds=app.brake_limits.pause(app.brake.pauses),
                why="matches met nothing but bugs of this worker; they wait in their queue",
            )
            if before.phase is Phase.RELEASED:
                parent.cancel_task_queue(PROCESS_QUEUE)
            if app.gatherer is not None:
                app.gatherer.give_back()
        elif app.brake.phase is Phase.TRYING:
            log.info("trying", pause=app.brake.pauses)
        else:
            log.warning("released", pauses=before.pauses)
            parent.add_task_queue(PROCESS_QUEUE)

    def _show(self, parent: Any, state: State) -> None:
        parent.app.process_metrics.main.braked(state.phase is not Phase.RELEASED)
