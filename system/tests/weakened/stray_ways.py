"""A scraper that quietly hands every 40th message to the API, though the broker is there."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from system.contract.envelope import Envelope
from system.scraper import delivery
from system.tests.weakened import run_given

_by_queue = delivery.Delivery._by_queue
_numbers = itertools.count()


def _leave_some(self: Any, envelopes: Sequence[Envelope]) -> list[Any]:
    return _by_queue(self, [each for each in envelopes if next(_numbers) % 40])


if __name__ == "__main__":
    delivery.Delivery._by_queue = _leave_some  # type: ignore[method-assign]
    run_given()
