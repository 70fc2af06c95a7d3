"""Shows how a worker is: by touching files that `worker.health` reads, and by a metric.

The timer that touches them belongs to Celery's consumer, so it stops with the loop that takes
deliveries. When the connection to the broker is lost, the ready file is removed; the alive file is
then touched by what tries to connect (`worker.broker_login`), in the same thread. So it tells a
worker that waits from one that hangs.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.worker.consumer import Tasks

from system.worker.health import EVERY_S


class Alive:
    """The alive file.

    Args:
        file: None: there is none.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._touched = -EVERY_S

    def touch(self) -> None:
        """Touch it, unless that was less than two seconds ago. May be called very often."""
        now = time.monotonic()
        if self._file is not None and now - self._touched >= EVERY_S:
            self._file.touch()
            self._touched = now


class Heartbeat(bootsteps.StartStopStep):
    """Touches the ready file and the alive file every two seconds while the consumer runs.

    The metric `worker_consuming` is 1 from its start to its end.
    """

    requires = (Tasks,)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        self._timer: Any = None
        super().__init__(parent, **kwargs)

    def start(self, parent: Any) -> None:
        """Begin with the consumer: it has a connection and its queues."""
        parent.app.process_metrics.main.consuming(True)
        file: Path | None = parent.app.ready_file

        def beat() -> None:
            parent.app.alive.touch()
            if file is not None:
                file.touch()

        beat()
        self._timer = parent.timer.call_repeatedly(EVERY_S, beat)

    def stop(self, parent: Any) -> None:
        """End with the consumer."""
        parent.app.process_metrics.main.consuming(False)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if parent.app.ready_file is not None:
            parent.app.ready_file.unlink(missing_ok=True)

    shutdown = stop
