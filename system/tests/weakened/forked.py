"""A worker that dies, once, between publishing a retry and acknowledging what is retried.

Then there are two copies of one message: the retry, and the original that the broker takes back.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from system.contract.topology import RETRY_EXCHANGE
from system.tests.weakened import run_given
from system.worker import handling

_publish = handling.Handler._publish


def _publish_and_die(
    self: Any, envelope: Any, exchange: str, key: str, expiration_ms: int | None = None
) -> None:
    _publish(self, envelope, exchange, key, expiration_ms)
    if exchange != RETRY_EXCHANGE:
        return
    try:
        Path("forked").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getppid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    handling.Handler._publish = _publish_and_die  # type: ignore[method-assign]
    run_given()
