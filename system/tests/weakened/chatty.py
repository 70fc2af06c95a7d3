"""A worker that tells of itself and its tasks by messages, each confirmed by the broker.

Events are Celery's default, and confirms are what a careful deployment sets; both together wait for
the broker in the worker's main loop. It needs a user who may declare the exchange of events.
"""

from __future__ import annotations

from typing import Any

from celery.worker.worker import WorkController

from system.settings import WorkerSettings
from system.tests.weakened import run_given
from system.worker import app

_begin = WorkController.__init__
_configuration = app.configuration


def _with_events(self: Any, *args: Any, **options: Any) -> None:
    _begin(self, *args, **{**options, "without_heartbeat": False, "task_events": True})


def _with_confirms(settings: WorkerSettings) -> dict[str, Any]:
    usual = _configuration(settings)
    transport = {**usual["broker_transport_options"], "confirm_publish": True}
    return {**usual, "broker_transport_options": transport}


if __name__ == "__main__":
    WorkController.__init__ = _with_events
    app.configuration = _with_confirms
    run_given()
