"""A worker that stores a result for each match, as Celery does by default.

Settings of Celery can be changed besides; see `one_setting`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from system.tests.weakened import one_setting, run_given
from system.worker import app, consumer
from system.worker.gate import Admitted, admit


def _with_result(delivery: Any, known_tasks: Any) -> Admitted:
    admitted = admit(delivery, known_tasks)
    return replace(admitted, headers={**admitted.headers, "ignore_result": False})


if __name__ == "__main__":
    consumer.admit = _with_result  # type: ignore[attr-defined]
    if "WEAKENED" in os.environ:
        app.configuration = one_setting._changed
    run_given()
