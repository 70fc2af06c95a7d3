"""A worker whose children hang on each message once, deaf to the soft time limit.

So hangs a task that is stuck in C code: only the hard limit ends it. Settings of Celery can be
changed besides; see `one_setting`.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from system.tests.weakened import one_setting, run_given
from system.worker import app, handling

_handle = handling.Handler.handle
LONGER_THAN_ANY_LIMIT_S = 60


def _hang_once(self: Any, incoming: Any) -> None:
    try:
        Path(f"hung-{incoming.message_id}").touch(exist_ok=False)
    except FileExistsError:
        _handle(self, incoming)
        return
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    signal.sigtimedwait([signal.SIGUSR2], LONGER_THAN_ANY_LIMIT_S)


if __name__ == "__main__":
    handling.Handler.handle = _hang_once  # type: ignore[method-assign]
    if one_setting.VARIABLE in os.environ:
        app.configuration = one_setting.changed
    run_given()
