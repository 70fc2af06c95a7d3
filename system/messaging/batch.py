"""The books of one batch of messages under way to the broker: sent, answered, or still to do. Pure.

A message is named by its index in the batch. Once sent it stands under its delivery tag until the
broker answers or the connection is lost; a tag counts the messages of one channel, from 1.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Confirmed(StrEnum):
    """What is known of a message after `publish`.

    CONFIRMED  the broker has it, on disk, in a queue
    REFUSED    it is certainly in no queue
    UNKNOWN    it was sent and never answered: it may be there or not; sending it again is safe
    """

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Told(StrEnum):
    """What the broker said, or why it said nothing: finer than `Confirmed`, for the metrics.

    RETURNED and NACKED are its own words for a refusal; with REFUSED it was not asked, or of no use
    to ask again.
    """

    CONFIRMED = "confirmed"
    RETURNED = "returned"
    NACKED = "nacked"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The fate of one message; `detail` says why, where it was not confirmed."""

    message_id: str
    outcome: Confirmed
    detail: str = ""


class Batch:
    """What is known of every message of one batch.

    Attributes:
        todo: indexes still to be sent, ascending.
        on_the_way: delivery tag → index, in the order of sending; tags ascend, and so do indexes.
        fates: by index; None until a message is settled.
        told: how many were settled otherwise than by a confirm, by what was said. It and `seconds`
            are for whoever counts, to read and to empty.
        seconds: of each that was confirmed, the time since it was first sent.
    """

    def __init__(self, message_ids: Sequence[str]) -> None:
        self.todo: deque[int] = deque(range(len(message_ids)))
        # Ordered: what one answer settles is taken off its front, whatever stands behind.
        self.on_the_way: OrderedDict[int, int] = OrderedDict()
        self.fates: list[Confirmation | None] = [None] * len(message_ids)
        self.told: Counter[Told] = Counter()
        self.seconds: list[float] = []
        self._ids = message_ids
        self._sent_at: list[float | None] = [None] * len(message_ids)
        self._unanswered: set[int] = set()  # sent on a connection that was lost: perhaps arrived
        self._returned: Counter[str] = Counter()  # came back unroutable, not yet answered

    @property
    def done(self) -> bool:
        """Whether every message is settled."""
        return not self.todo and not self.on_the_way

    def send_first(self, tag: int, at: float = 0.0) -> None:
        """The first message to do has been put on the wire under `tag`, at second `at`."""
        index = self.todo.popleft()
        self.on_the_way[tag] = index
        if self._sent_at[index] is None:
            self._sent_at[index] = at

    def refuse_first(self, why: str) -> None:
        """The first message to do cannot be sent at all."""
        self._refuse(self.todo.popleft(), why)

    def came_back(self, message_id: str) -> None:
        """The broker found no queue for it. Its confirm follows, and means only that it looked."""
        self._returned[message_id] += 1

    def answer(
        self, tag: int, *, multiple: bool, nack: str = "", unroutable: str = "", at: float = 0.0
    ) -> None:
        """The broker has answered for `tag`, and if `multiple` for all before it as well.

        Args:
            at: which second it is, on the clock of `send_first`.
            nack: why, where the answer is a refusal.
            unroutable: what to say of a message that came back.
        """
        for index in self._take(tag, multiple=multiple):
            message_id = self._ids[index]
            returned = self._returned[message_id] > 0
            if returned:
                self._returned[message_id] -= 1
            if nack or returned:
                self._refuse(index, nack or unroutable, Told.NACKED if nack else Told.RETURNED)
            else:
                self.settle(index, Confirmed.CONFIRMED)
                self.seconds.append(at - (self._sent_at[index] or 0.0))

    def settle(self, index: int, outcome: Confirmed, detail: str = "") -> None:
        """Write down the fate of one message."""
        self.fates[index] = Confirmation(self._ids[index], outcome, detail)

    def take_back(self) -> None:
        """The connection is lost: what was on its way comes first again, in its order."""
        self.todo.extendleft(reversed(self.on_the_way.values()))
        self._unanswered.update(self.on_the_way.values())
        self.on_the_way.clear()
        self._returned.clear()  # of an attempt that nobody answers any more

    def give_up(self, why: str) -> None:
        """Whatever was on the wire may have arrived; the rest certainly has not."""
        self.take_back()
        while self.todo:
            self.refuse_first(why)

    def _refuse(self, index: int, why: str, told: Told = Told.REFUSED) -> None:
        """An attempt came to nothing; an earlier one that was never answered may not have."""
        unsure = index in self._unanswered
        self.settle(index, Confirmed.UNKNOWN if unsure else Confirmed.REFUSED, why)
        self.told[Told.UNKNOWN if unsure else told] += 1

    def _take(self, tag: int, *, multiple: bool) -> list[int]:
        """The indexes that an answer is about. A tag that is not on its way was settled before."""
        if not multiple:
            index = self.on_the_way.pop(tag, None)
            return [] if index is None else [index]
        taken = []
        while self.on_the_way and next(iter(self.on_the_way)) <= tag:
            taken.append(self.on_the_way.popitem(last=False)[1])
        return taken
