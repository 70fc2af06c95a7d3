"""The Universal Scalability Law: how throughput grows with the number of workers. Pure.

    X(N) = r N / (1 + s (N - 1) + k N (N - 1))

`r` is what one worker does alone. `s` is the share of the work that only one can do at a time
(contention): it bends the line towards r / s. `k` is what it costs that each has to agree with each
(coherency): it bends the line down again. Neil Gunther, "Guerrilla Capacity Planning" (2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

POINTS_MIN = 3
"""As many as there are unknowns."""


@dataclass(frozen=True, slots=True)
class Usl:
    """A fitted law.

    Attributes:
        per_worker: messages a second that one worker takes alone.
        contention: `s`, a share from 0 on.
        coherency: `k`, from 0 on.
    """

    per_worker: float
    contention: float
    coherency: float

    def throughput(self, workers: float) -> float:
        """Messages a second that so many workers take."""
        others = workers - 1
        slowed = 1 + self.contention * others + self.coherency * workers * others
        return self.per_worker * workers / slowed

    @property
    def best_workers(self) -> int | None:
        """With how many workers it takes most; None: each more is a gain, however small."""
        if self.coherency == 0:
            return None
        ideal = math.sqrt(max(1 - self.contention, 0.0) / self.coherency)
        near = {max(1, math.floor(ideal)), max(1, math.ceil(ideal))}
        return max(near, key=lambda workers: (self.throughput(workers), -workers))

    @property
    def limit_per_s(self) -> float:
        """What no number of workers exceeds, in messages a second; infinite if nothing is shared.

        That is about this machine and these services: with others the law has to be fitted anew.
        """
        if self.best_workers is not None:
            return self.throughput(self.best_workers)
        return self.per_worker / self.contention if self.contention else math.inf

    def workers_for(self, per_s: float) -> int | None:
        """The fewest workers that take so many messages a second; None if no number does."""
        top = self.best_workers
        if per_s > self.limit_per_s or (top is None and per_s == self.limit_per_s):
            return None
        if top is None:  # X(N) = per_s, solved for N, as k is 0
            needed = per_s * (1 - self.contention) / (self.per_worker - self.contention * per_s)
            return max(1, math.ceil(needed - 1e-9))
        return next(n for n in range(1, top + 1) if self.throughput(n) >= per_s * (1 - 1e-9))


def fit(points: Sequence[tuple[int, float]]) -> Usl:
    """The law that is nearest to what was measured, by relative error.

    N / X is linear in 1, N - 1 and N (N - 1), so this is least squares with coefficients that must
    not be negative. There are three of them, so every choice of which are zero is tried.

    Args:
        points: (workers, messages a second), of three different numbers of workers at least.

    Raises:
        ValueError: there are too few, or a rate is not above zero.
    """
    if len({workers for workers, _ in points}) < POINTS_MIN:
        raise ValueError(f"a fit needs {POINTS_MIN} different numbers of workers, not fewer")
    if any(not per_s > 0 for _, per_s in points):
        raise ValueError("every rate has to be above zero")
    rows, wanted = [], []
    for workers, per_s in points:
        weight = per_s / workers  # of one over the value: so that errors are relative
        rows.append([weight, weight * (workers - 1), weight * workers * (workers - 1)])
        wanted.append(1.0)
    candidates = []
    for count in range(3):
        for bending in combinations((1, 2), count):
            columns = (0, *bending)
            solved = _least_squares([[row[at] for at in columns] for row in rows], wanted)
            if solved is None or min(solved) < 0 or solved[0] == 0:
                continue
            found = [0.0, 0.0, 0.0]
            for at, value in zip(columns, solved, strict=True):
                found[at] = value
            candidates.append((_error(rows, wanted, found), found))
    _, (alone, contention, coherency) = min(candidates)
    return Usl(1 / alone, contention / alone, coherency / alone)


def _error(rows: Sequence[Sequence[float]], wanted: Sequence[float], by: Sequence[float]) -> float:
    return sum(
        (sum(a * b for a, b in zip(row, by, strict=True)) - value) ** 2
        for row, value in zip(rows, wanted, strict=True)
    )


def _least_squares(
    rows: Sequence[Sequence[float]], wanted: Sequence[float]
) -> tuple[float, ...] | None:
    """The solution of the normal equations, by elimination; None if there is not just one."""
    size = len(rows[0])
    table = [
        [sum(row[i] * row[j] for row in rows) for j in range(size)]
        + [sum(row[i] * value for row, value in zip(rows, wanted, strict=True))]
        for i in range(size)
    ]
    for at in range(size):
        pivot = max(range(at, size), key=lambda line: abs(table[line][at]))
        if abs(table[pivot][at]) < 1e-12:
            return None
        table[at], table[pivot] = table[pivot], table[at]
        for line in range(size):
            if line != at:
                factor = table[line][at] / table[at][at]
                table[line] = [a - factor * b for a, b in zip(table[line], table[at], strict=True)]
    return tuple(table[at][size] / table[at][at] for at in range(size))
