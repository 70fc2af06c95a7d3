"""The clock of a run: the real one, or one that starts elsewhere and goes on from there."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """Gives the time of observations, in UTC, never backwards.

    Args:
        start: the time at this moment, aware; None for the real time. Either way it advances by the
            monotonic clock, so that a machine whose clock is set during a run does not make a later
            observation look older than an earlier one.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self.start = (start or datetime.now(UTC)).astimezone(UTC)
        self._begun = time.monotonic()

    def now(self) -> datetime:
        """The time now."""
        return self.start + timedelta(seconds=time.monotonic() - self._begun)
