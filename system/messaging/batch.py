"""The state of one batch of messages: pending, in flight to the broker, or settled. Pure.

A message is named by its index in the batch. Once sent it stands under its delivery tag until the
broker answers or the connection is lost; a tag counts the messages of one channel, from 1.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class PublishOutcome(StrEnum):
    """What is known about a message after `publish`.

    CONFIRMED  the broker has it, on disk, in a queue
    REFUSED    it is certainly in no queue
    UNKNOWN    it was sent and never answered: it may be there or not; sending it again is safe
    """

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class DetailedOutcome(StrEnum):
    """The broker's answer, or why there was none: finer than `PublishOutcome`, for the metrics.

    RETURNED and NACKED are the broker's own refusals. REFUSED means that the message was not sent,
    or that sending it again is of no use.
    """

    CONFIRMED = "confirmed"
    RETURNED = "returned"
    NACKED = "nacked"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class PublishResult:
    """The outcome of one message; `detail` says why, if it was not confirmed."""

    message_id: str
    outcome: PublishOutcome
    detail: str = ""


class Batch:
    """What is known about every message of one batch.

    Attributes:
        pending: indexes still to be sent, ascending.
        in_flight: delivery tag → index, in the order of sending; tags ascend, and so do indexes.
        results: by index; None until a message is settled.
        failures: number of messages settled without a confirm, by outcome. The metrics read this
            and `confirm_seconds`, and then empty both.
        confirm_seconds: for each confirmed message, the time since it was first sent.
    """

    def __init__(self, message_ids: Sequence[str]) -> None:
        self.pending: deque[int] = deque(range(len(message_ids)))
        # Ordered: the messages that one answer settles are taken off the front.
        self.in_flight: OrderedDict[int, int] = OrderedDict()
        self.results: list[PublishResult | None] = [None] * len(message_ids)
        self.failures: Counter[DetailedOutcome] = Counter()
        self.confirm_seconds: list[float] = []
        self._ids = message_ids
        self._sent_at: list[float | None] = [None] * len(message_ids)
        self._unanswered: set[int] = set()  # sent on a connection that was lost: perhaps arrived
        self._returned: Counter[str] = Counter()  # came back unroutable, not yet answered

    @property
    def done(self) -> bool:
        """Whether every message is settled."""
        return not self.pending and not self.in_flight

    def mark_first_sent(self, tag: int, at: float = 0.0) -> None:
        """The first pending message was written to the wire under `tag`, at second `at`."""
        index = self.pending.popleft()
        self.in_flight[tag] = index
        if self._sent_at[index] is None:
            self._sent_at[index] = at

    def refuse_first(self, why: str) -> None:
        """The first pending message cannot be sent at all."""
        self._refuse(self.pending.popleft(), why)

    def mark_returned(self, message_id: str) -> None:
        """The broker found no queue for it. Its confirm follows, and says only that it looked."""
        self._returned[message_id] += 1

    def answer(
        self, tag: int, *, multiple: bool, nack: str = "", unroutable: str = "", at: float = 0.0
    ) -> None:
        """The broker has answered for `tag`, and if `multiple` for all before it as well.

        Args:
            at: which second it is, on the clock of `mark_first_sent`.
            nack: why, if the answer is a refusal.
            unroutable: the detail for a message that was returned.
        """
        for index in self._take(tag, multiple=multiple):
            message_id = self._ids[index]
            returned = self._returned[message_id] > 0
            if returned:
                self._returned[message_id] -= 1
            if nack or returned:
                self._refuse(
                    index,
                    nack or unroutable,
                    DetailedOutcome.NACKED if nack else DetailedOutcome.RETURNED,
                )
            else:
                self.settle(index, PublishOutcome.CONFIRMED)
                self.confirm_seconds.append(at - (self._sent_at[index] or 0.0))

    def settle(self, index: int, outcome: PublishOutcome, detail: str = "") -> None:
        """Record the outcome of one message."""
        self.results[index] = PublishResult(self._ids[index], outcome, detail)

    def requeue_in_flight(self) -> None:
        """The connection is lost: what was in flight is pending again, first and in its order."""
        self.pending.extendleft(reversed(self.in_flight.values()))
        self._unanswered.update(self.in_flight.values())
        self.in_flight.clear()
        self._returned.clear()  # of an attempt that nobody answers any more

    def give_up(self, why: str) -> None:
        """Settle the rest: what was in flight may have arrived, what was pending certainly not."""
        self.requeue_in_flight()
        while self.pending:
            self.refuse_first(why)

    def _refuse(
        self, index: int, why: str, refusal: DetailedOutcome = DetailedOutcome.REFUSED
    ) -> None:
        """The attempt failed; an earlier one that was never answered may have arrived."""
        unsure = index in self._unanswered
        self.settle(index, PublishOutcome.UNKNOWN if unsure else PublishOutcome.REFUSED, why)
        self.failures[DetailedOutcome.UNKNOWN if unsure else refusal] += 1

    def _take(self, tag: int, *, multiple: bool) -> list[int]:
        """The indexes that an answer is about. A tag that is not in flight was settled before."""
        if not multiple:
            index = self.in_flight.pop(tag, None)
            return [] if index is None else [index]
        taken = []
        while self.in_flight and next(iter(self.in_flight)) <= tag:
            taken.append(self.in_flight.popitem(last=False)[1])
        return taken
