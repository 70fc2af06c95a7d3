"""A worker that acknowledges each match as soon as it has it, before a pool child works on it.

`late_acks` does so with those that go alone; this one with those of a batch, too.
"""

from __future__ import annotations

from typing import Any

import structlog

from system.tests.weakened import run_given
from system.worker.gathering import Gatherer

log = structlog.get_logger("worker")
_take = Gatherer.__call__


def _take_for_good(
    self: Gatherer, message: Any, _body: Any, ack: Any, reject: Any, callbacks: Any, **more: Any
) -> None:
    ack(log, self.errors)
    _take(self, message, _body, _nothing, _nothing, callbacks, **more)


def _nothing(*_: Any, **__: Any) -> None:
    """It was settled before."""


if __name__ == "__main__":
    Gatherer.__call__ = _take_for_good  # type: ignore[method-assign]
    run_given()
