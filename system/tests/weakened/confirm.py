"""A publisher that calls a message confirmed once it is written to the socket."""

from __future__ import annotations

from typing import Any

from system.messaging import publisher
from system.messaging.publisher import Confirmed, Publisher
from system.tests.weakened import run_given

_pump = Publisher._pump


def _believe(self: Any) -> None:
    _pump(self)
    batch = self._batch
    if batch is not None and batch.on_the_way:
        for index in batch.on_the_way.values():
            batch.settle(index, Confirmed.CONFIRMED)
        batch.on_the_way.clear()
        _pump(self)


if __name__ == "__main__":
    publisher.Publisher._pump = _believe  # type: ignore[method-assign]
    run_given()
