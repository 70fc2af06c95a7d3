"""A worker with settings of Celery changed: those that the variable WEAKENED holds as JSON."""

from __future__ import annotations

import json
import os
from typing import Any

from system.settings import WorkerSettings
from system.tests.weakened import run_given
from system.worker import app

_configuration = app.configuration


def _changed(settings: WorkerSettings) -> dict[str, Any]:
    return {**_configuration(settings), **json.loads(os.environ["WEAKENED"])}


if __name__ == "__main__":
    app.configuration = _changed
    run_given()
