"""A worker that acknowledges what its hard time limit had to kill, as Celery does by default.

Its tasks are deaf to the soft limit (see `deaf_worker`), or the hard one would never be reached.
"""

from __future__ import annotations

from typing import Any

from system.settings import WorkerSettings
from system.tests.weakened import deaf_worker, run_given
from system.worker import app, handling

_configuration = app.configuration


def _acks_on_timeout(settings: WorkerSettings) -> dict[str, Any]:
    return {**_configuration(settings), "task_acks_on_timeout": True}


if __name__ == "__main__":
    handling.Handler.submission = deaf_worker._without_hearing  # type: ignore[method-assign]
    app.configuration = _acks_on_timeout
    run_given()
