"""A worker that tells of itself and its tasks by messages, as Celery does by default.

Each event waits for the broker's confirm in the worker's main loop. It needs a user who may
declare the exchange of events.
"""

from __future__ import annotations

from typing import Any

from celery.worker.worker import WorkController

from system.tests.weakened import run_given

_begin = WorkController.__init__


def _with_events(self: Any, *args: Any, **options: Any) -> None:
    _begin(self, *args, **{**options, "without_heartbeat": False, "task_events": True})


if __name__ == "__main__":
    WorkController.__init__ = _with_events
    run_given()
