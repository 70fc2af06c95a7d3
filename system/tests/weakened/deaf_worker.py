"""A worker whose tasks do not hear the soft time limit, as while they are stuck in a library."""

from __future__ import annotations

import signal
from typing import Any

from billiard.pool import SIG_SOFT_TIMEOUT

from system.tests.weakened import run_given
from system.worker import handling

_submission = handling.Handler.submission


def _without_hearing(self: Any, incoming: Any) -> Any:
    signal.signal(SIG_SOFT_TIMEOUT, signal.SIG_IGN)
    return _submission(self, incoming)


if __name__ == "__main__":
    handling.Handler.submission = _without_hearing  # type: ignore[method-assign]
    run_given()
