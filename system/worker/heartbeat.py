"""Shows whether a worker consumes: by touching a file that `worker.health` reads, and by a metric.

The timer that touches the file belongs to Celery's consumer, so it stops with the loop that takes
deliveries; the file is removed when the connection to the broker is lost.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.worker.consumer import Tasks

from system.worker.health import EVERY_S


class Heartbeat(bootsteps.StartStopStep):
    """Touches the file of `app.ready_file` every two seconds while the consumer runs.

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
        if file is not None:
            file.touch()
            self._timer = parent.timer.call_repeatedly(EVERY_S, file.touch)

    def stop(self, parent: Any) -> None:
        """End with the consumer."""
        parent.app.process_metrics.main.consuming(False)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if parent.app.ready_file is not None:
            parent.app.ready_file.unlink(missing_ok=True)

    shutdown = stop
