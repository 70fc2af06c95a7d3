"""A circuit breaker: after some failures in a row a way is not used for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Breaker:
    """Counts the failures of one way of delivery.

    Args:
        failures_max: failures in a row that open the circuit.
        rest_s: how long it stays open; then one attempt is let through, and its result decides.
        clock: monotonic seconds.
    """

    failures_max: int = 3
    rest_s: float = 10.0
    clock: Callable[[], float] = time.monotonic
    _failures: int = 0
    _open_until: float = 0.0

    @property
    def lets_through(self) -> bool:
        """Whether an attempt may be made now."""
        return self._failures < self.failures_max or self.clock() >= self._open_until

    def succeeded(self) -> None:
        """Close the circuit."""
        self._failures = 0

    def failed(self) -> None:
        """Count a failure; the circuit opens when there are too many."""
        self._failures += 1
        if self._failures >= self.failures_max:
            self._open_until = self.clock() + self.rest_s
