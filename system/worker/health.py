"""A sign of life that is cheap and true: a file, touched only while the worker consumes.

The touching timer belongs to Celery's consumer, so it stops with the loop that takes deliveries,
and the file goes when the connection to the broker does. A probe needs to look at a file's age;
it starts no Python and asks no broker: `find FILE -newermt '-30 seconds'`.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.worker.consumer import Tasks

EVERY_S = 2.0


class Heartbeat(bootsteps.StartStopStep):  # type: ignore[misc]
    """Touches the file of `app.ready_file` every two seconds while the consumer runs."""

    requires = (Tasks,)

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        self._timer: Any = None
        super().__init__(parent, **kwargs)

    def start(self, parent: Any) -> None:
        """Begin with the consumer: it has a connection and its queues."""
        file: Path | None = parent.app.ready_file
        if file is not None:
            file.touch()
            self._timer = parent.timer.call_repeatedly(EVERY_S, file.touch)

    def stop(self, parent: Any) -> None:
        """End with the consumer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if parent.app.ready_file is not None:
            parent.app.ready_file.unlink(missing_ok=True)

    shutdown = stop


def is_consuming(file: Path, max_age_s: float = 30.0) -> bool:
    """Return whether the worker that keeps `file` has been consuming within `max_age_s`."""
    try:
        return time.time() - file.stat().st_mtime <= max_age_s
    except FileNotFoundError:
        return False
