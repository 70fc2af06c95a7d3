"""A worker whose child dies by SIGKILL at each message that says "poison" as its location."""

from __future__ import annotations

import os
import signal
from typing import Any

from system.tests.weakened import run_given
from system.worker import handling

_submission = handling.Handler.submission


def _die_of_poison(self: Any, incoming: Any) -> Any:
    if incoming.args[0].get("location") == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return _submission(self, incoming)


if __name__ == "__main__":
    handling.Handler.submission = _die_of_poison  # type: ignore[method-assign]
    run_given()
