"""When a login that was refused is tried again: after a growing pause, or with another secret."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from pydantic import SecretStr

FIRST_S, MAX_S = 1.0, 30.0


def backoff_s(failures: int, chance: float, first_s: float, max_s: float) -> float:
    """How long to wait after `failures` in a row before trying again, in seconds. Pure.

    Args:
        failures: at least 1.
        chance: between 0 and 1; spreads the clients that failed at the same moment.
        first_s, max_s: the longest pause after the first failure, and of all; half is the shortest.
    """
    longest = min(max_s, first_s * 2.0 ** min(failures - 1, 30))
    return longest / 2 * (1 + chance)


class Login:
    """The refusals of one client's login. Belongs to one thread.

    Args:
        secret: what the client logs in with; another value may be tried at once.
        rng: draws the jitter.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        secret: SecretStr,
        rng: random.Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret = secret
        self._rng = rng or random.Random()
        self._clock = clock
        self._failures = 0
        self._refused = ""
        self._not_before = 0.0

    def wait_s(self) -> float:
        """Seconds until the next attempt; 0 if it may be made now."""
        if not self._failures or self._secret.get_secret_value() != self._refused:
            return 0.0
        return max(0.0, self._not_before - self._clock())

    def refused(self, used: str) -> float:
        """The secret `used` was refused; return the seconds until the next attempt."""
        self._failures = self._failures + 1 if used == self._refused else 1
        self._refused = used
        pause = backoff_s(self._failures, self._rng.random(), FIRST_S, MAX_S)
        self._not_before = self._clock() + pause
        return pause

    def accepted(self) -> None:
        """A login succeeded: the pauses begin small again."""
        self._failures, self._refused = 0, ""
