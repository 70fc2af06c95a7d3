"""A worker that tries a broker that is away a hundred times a second: hours of patience in seconds.

Only the pauses between the attempts are shorter. Settings of Celery can be changed besides; see
`one_setting`.
"""

from __future__ import annotations

from typing import Any

from kombu.connection import Connection

from system.tests.weakened import one_setting, run_given
from system.worker import app

PAUSE_S = 0.01
_ensure: Any = Connection.ensure_connection


def _hurried(self: Connection, *args: Any, **more: Any) -> Any:
    pauses = {"interval_start": PAUSE_S, "interval_step": 0, "interval_max": PAUSE_S}
    return _ensure(self, *args, **pauses, **more)


if __name__ == "__main__":
    Connection.ensure_connection = _hurried  # type: ignore[method-assign]
    app.configuration = one_setting._changed
    run_given()
