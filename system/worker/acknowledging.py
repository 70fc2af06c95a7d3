"""Which deliveries can be acknowledged by one frame: pure decisions.

`basic.ack` with `multiple` acknowledges every delivery of the channel up to a tag. For each frame
the broker writes into the log of a quorum queue, so one for a whole batch is much cheaper than one
for each of its deliveries; but it must never cover a delivery that is not settled.

    given out   1  2  3  4  5  6  7  8
    settled     1  2  3  4     6  7          ack(4, multiple); 6 and 7 are owed until 5 is settled,
                                             too many are owed, or nothing is under way any more
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, NamedTuple, Protocol, TypeVar


class Message(Protocol):
    """A delivery as kombu has it."""

    delivery_tag: int

    @property
    def acknowledged(self) -> bool:
        """Whether a frame has settled it already."""


M = TypeVar("M", bound=Message)


class Frame(NamedTuple, Generic[M]):
    """An acknowledgement to send: of a message, and if `multiple` of all before it."""

    message: M
    multiple: bool


class Acknowledging(Generic[M]):
    """The deliveries of one channel that are not settled.

    Args:
        owed_max: more settled deliveries than these never wait for one before them.
    """

    def __init__(self, owed_max: int) -> None:
        self._owed_max = owed_max
        self._last = 0
        self._in_order = True
        self._open: OrderedDict[int, M] = OrderedDict()
        self._owed: dict[int, M] = {}
        self._look_at = 4 * owed_max

    def delivered(self, message: M) -> None:
        """One more is given out. All of the channel have to be told, in their order."""
        tag = message.delivery_tag
        # One that nobody told of would be covered, and so lost if its worker dies.
        self._in_order = self._in_order and tag == self._last + 1
        self._last = tag
        self._open[tag] = message
        if len(self._open) > self._look_at:
            self._forget_the_settled()

    def settled(self, messages: Iterable[M]) -> list[Frame[M]]:
        """These may be acknowledged; return the frames to send now."""
        self._owed.update(
            (message.delivery_tag, message) for message in messages if not message.acknowledged
        )
        frames = self._up_to_the_first_open() if self._in_order else []
        if not self._in_order or len(self._owed) > self._owed_max:
            frames += self.all_owed()
        return frames

    def all_owed(self) -> list[Frame[M]]:
        """Nothing is to be owed any more; return the frames to send now."""
        frames = [Frame(message, multiple=False) for message in self._owed.values()]
        for tag in self._owed:
            self._open.pop(tag, None)
        self._owed.clear()
        return frames

    def _up_to_the_first_open(self) -> list[Frame[M]]:
        """Everything before the first delivery that is not settled, by one frame."""
        passed: list[M] = []
        while self._open:
            tag, message = next(iter(self._open.items()))
            if tag in self._owed:
                passed.append(self._owed.pop(tag))
            elif not message.acknowledged:
                break
            del self._open[tag]
        return [Frame(passed[-1], multiple=len(passed) > 1)] if passed else []

    def _forget_the_settled(self) -> None:
        """Those behind one that takes long; the prefetches bound what is left."""
        for tag in [tag for tag, message in self._open.items() if message.acknowledged]:
            del self._open[tag]
        self._look_at = max(4 * self._owed_max, 2 * len(self._open))
