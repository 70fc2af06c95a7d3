"""How a command ends that is asked to."""

from __future__ import annotations

import signal
from typing import NoReturn


def end_in_order() -> None:
    """Let SIGTERM end this program by way of its `finally` blocks, with the usual exit code."""
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
