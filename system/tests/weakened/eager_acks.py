"""A worker that acknowledges each match as soon as it has it, before a pool child works on it.

`late_acks` does so with those that go alone; this one with those of a batch, too.
"""

from __future__ import annotations

from typing import Any

import structlog

from system.tests.weakened import run_given
from system.worker.gathering import Gatherer

log = structlog.get_logger("worker")
_take = Gatherer.take


def _take_for_good(self: Gatherer, message: Any, admitted: Any) -> None:
    message.ack_log_error(log, self.errors)
    message.ack_log_error = message.reject_log_error = _nothing
    _take(self, message, admitted)


def _nothing(*_: Any, **__: Any) -> None:
    """It was settled before."""


if __name__ == "__main__":
    Gatherer.take = _take_for_good  # type: ignore[method-assign]
    run_given()
