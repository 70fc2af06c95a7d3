"""A worker that acknowledges a message before it works on it, as Celery does by default."""

from __future__ import annotations

from typing import Any

from system.settings import WorkerSettings
from system.tests.weakened import run_given
from system.worker import app

_configuration = app.configuration


def _early_acks(settings: WorkerSettings) -> dict[str, Any]:
    return {**_configuration(settings), "task_acks_late": False}


if __name__ == "__main__":
    app.configuration = _early_acks
    run_given()
