"""When a worker hands matches to its pool, and how many together: pure decisions.

    idle ──────────────── the first one goes at once, alone
    a child is busy ───── the others gather, until there are `size` of them or one waited `wait_s`
    all are busy ──────── they gather until a child is free

So with little traffic nothing is added to the time of a match, and a backlog goes in full batches.
What may be at fault, or was there when something went wrong, goes alone: it costs nobody else
anything then. `worker.gathering` carries out what is decided here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from system.contract.submission import BODY_BYTES_MAX

T = TypeVar("T")

BATCH_BYTES_MAX = BODY_BYTES_MAX // 4
"""Bytes of the messages of one batch; they must fit into one request, in whatever spelling."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far coalescing goes.

    Attributes:
        size: matches of a batch at most.
        wait_s: how long one waits for others while a child is free.
        children: of the pool; so many batches are under way at most.
    """

    size: int
    wait_s: float
    children: int

    @property
    def prefetch(self) -> int:
        """Deliveries that a worker holds: a batch under way and one that gathers, for each child.

        Each of them counts a delivery if the worker dies; see `topology.DELIVERY_LIMIT`.
        """
        return 2 * self.size * self.children


@dataclass(slots=True)
class _Waiting(Generic[T]):
    item: T
    since: float
    size_bytes: int


@dataclass(slots=True)
class Waiting(Generic[T]):
    """What waits to be handed over.

    Attributes:
        draw: a number below the one given, at random: which one of those that go alone is next.
            In their order, one that kills the whole worker would always be the first of them, and
            those behind it would be delivered, and counted, again and again.
    """

    limits: Limits
    draw: Callable[[int], int]
    _together: deque[_Waiting[T]] = field(default_factory=deque)
    _alone: list[_Waiting[T]] = field(default_factory=list)
    _alone_is_next: bool = False

    def __len__(self) -> int:
        return len(self._together) + len(self._alone)

    def add(self, item: T, now: float, size_bytes: int, *, alone: bool = False) -> None:
        """One more waits.

        Args:
            item: what is handed over.
            now: seconds of a clock that only goes forward.
            size_bytes: of its body.
            alone: it must not be in a batch with others.
        """
        (self._alone if alone else self._together).append(_Waiting(item, now, size_bytes))

    def due_in(self, under_way: int, now: float) -> float | None:
        """Seconds until something is to be handed over; None: not before something else happens.

        Args:
            under_way: batches that were handed over and are not done.
            now: as in `add`.
        """
        if not len(self) or under_way >= self.limits.children:
            return None
        if len(self._together) >= self.limits.size:
            return 0.0
        if self._together and not self._alone and under_way == 0:
            return 0.0
        oldest = min(waiting[0].since for waiting in (self._together, self._alone) if waiting)
        return max(0.0, oldest + self.limits.wait_s - now)

    def take(self) -> list[T]:
        """Take what is handed over next: one of those that go alone, or as many as may go.

        Batches and those that go alone take turns, and neither holds up the other: some of those
        may take until the time limit, and come again, and again.
        """
        if self._alone and (self._alone_is_next or not self._together):
            self._alone_is_next = False
            at = self.draw(len(self._alone))
            self._alone[at], self._alone[-1] = self._alone[-1], self._alone[at]
            return [self._alone.pop().item]
        self._alone_is_next = True
        taken: list[T] = []
        room = BATCH_BYTES_MAX
        while self._together and len(taken) < self.limits.size:
            room -= self._together[0].size_bytes
            if taken and room < 0:
                break
            taken.append(self._together.popleft().item)
        return taken

    def empty(self) -> list[T]:
        """Take all."""
        items = [each.item for each in (*self._together, *self._alone)]
        self._together.clear()
        self._alone.clear()
        return items
