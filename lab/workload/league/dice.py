"""Repeatable randomness, the same on every machine: a seeded source for each named decision."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A seeded source of randomness, named by what it decides: `Dice(seed, "repeat", moment)`.

    Only `Random.random()` is used: of that method alone Python promises the same sequence in every
    version. A name given as text is seeded through SHA-512, so PYTHONHASHSEED plays no part.
    """

    def __init__(self, *name: object) -> None:
        self._draw = random.Random("/".join(map(str, name))).random

    def chance(self, share: float) -> bool:
        """True in `share` (0 to 1) of all cases."""
        return self._draw() < share

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`, both included."""
        return low + int(self._draw() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`, each equally likely."""
        return items[int(self._draw() * len(items))]

    def shuffled(self, items: Iterable[T]) -> list[T]:
        """`items` in a random order."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.between(0, last)
            order[last], order[other] = order[other], order[last]
        return order
