"""The books of a batch: whatever the broker answers, every message gets exactly one true result."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from system.messaging.batch import Batch, DetailedOutcome, PublishOutcome


def sent(count: int) -> Batch:
    """A batch of `count` messages "0", "1" …, all on their way under the tags from 1."""
    batch = Batch([str(index) for index in range(count)])
    for tag in range(1, count + 1):
        batch.mark_first_sent(tag)
    return batch


def outcomes(batch: Batch) -> list[str | None]:
    return [None if result is None else result.outcome.value for result in batch.results]


def test_an_answer_for_many_settles_those_before_it_and_no_other() -> None:
    batch = sent(5)
    batch.answer(2, multiple=False)
    batch.answer(4, multiple=True)
    assert outcomes(batch) == ["confirmed"] * 4 + [None]
    batch.answer(4, multiple=True)  # all of them were answered before
    assert list(batch.in_flight) == [5]


def test_a_message_that_came_back_is_refused_when_its_confirm_comes() -> None:
    batch = sent(3)
    batch.mark_returned("1")
    batch.answer(3, multiple=True, unroutable="no queue")
    assert outcomes(batch) == ["confirmed", "refused", "confirmed"]
    result = batch.results[1]
    assert result is not None
    assert result.detail == "no queue"


def test_two_copies_of_one_message_that_both_came_back_are_both_refused() -> None:
    batch = Batch(["same", "same"])
    batch.mark_first_sent(1)
    batch.mark_first_sent(2)
    batch.mark_returned("same")
    batch.mark_returned("same")
    batch.answer(2, multiple=True, unroutable="no queue")
    assert outcomes(batch) == ["refused", "refused"]


def test_what_came_back_on_a_lost_connection_does_not_count_on_the_next_one() -> None:
    batch = sent(1)
    batch.mark_returned("0")
    batch.requeue_in_flight()
    batch.mark_first_sent(1)
    batch.answer(1, multiple=False)
    assert outcomes(batch) == ["confirmed"]


def test_what_a_lost_connection_left_unanswered_comes_first_again_in_its_order() -> None:
    batch = Batch(list("abcdef"))
    for tag in (1, 2, 3, 4):
        batch.mark_first_sent(tag)
    batch.answer(2, multiple=False)
    batch.requeue_in_flight()
    assert list(batch.pending) == [0, 2, 3, 4, 5]


def test_giving_up_tells_what_may_have_arrived_from_what_has_not() -> None:
    batch = Batch(list("abc"))
    batch.mark_first_sent(1)
    batch.mark_first_sent(2)
    batch.answer(1, multiple=False, nack="full")
    batch.give_up("away")
    assert outcomes(batch) == ["refused", "unknown", "refused"]


def test_what_was_sent_once_stays_unknown_though_it_cannot_be_sent_again() -> None:
    batch = sent(1)
    batch.requeue_in_flight()
    batch.refuse_first("cannot be written")
    assert outcomes(batch) == ["unknown"]


def test_a_refusal_does_not_speak_for_an_earlier_attempt_that_nobody_answered() -> None:
    batch = sent(2)
    batch.requeue_in_flight()
    batch.mark_first_sent(1)
    batch.mark_first_sent(2)
    batch.mark_returned("0")
    batch.answer(1, multiple=False, unroutable="no queue")
    batch.answer(2, multiple=False, nack="full")
    assert outcomes(batch) == ["unknown", "unknown"]


def test_what_is_told_of_a_message_is_finer_than_its_fate() -> None:
    batch = sent(5)
    batch.mark_returned("0")
    batch.answer(1, multiple=False, unroutable="no queue")
    batch.answer(2, multiple=False, nack="full")
    batch.requeue_in_flight()  # the other three, two of which are sent again
    batch.mark_first_sent(1)
    batch.answer(1, multiple=False)
    batch.mark_first_sent(2)
    batch.answer(2, multiple=False, nack="full")
    batch.give_up("away")
    assert batch.failures == {
        DetailedOutcome.RETURNED: 1,
        DetailedOutcome.NACKED: 1,
        DetailedOutcome.UNKNOWN: 2,
    }
    assert len(batch.confirm_seconds) == 1
    unsent = Batch(["a"])
    unsent.give_up("away")
    assert unsent.failures == {DetailedOutcome.REFUSED: 1}


def test_the_time_to_a_confirm_counts_from_the_first_sending() -> None:
    batch = Batch(["a", "b"])
    batch.mark_first_sent(1, at=10.0)
    batch.requeue_in_flight()
    batch.mark_first_sent(1, at=12.0)
    batch.mark_first_sent(2, at=12.5)
    batch.answer(2, multiple=True, at=13.0)
    assert batch.confirm_seconds == [3.0, 0.5]


def test_an_answer_costs_what_it_settles_however_many_stand_behind() -> None:
    """A window of 200,000 settled in steps of one; looking through it each time takes minutes."""
    batch = sent(200_000)
    begun = time.process_time()
    for tag in range(1, 200_001):
        batch.answer(tag, multiple=True)
    assert batch.done
    assert time.process_time() - begun < 10


class Broker(RuleBasedStateMachine):
    """A broker that answers, forgets and returns as it likes, and the truth about each message."""

    def __init__(self) -> None:
        super().__init__()
        self.batch = Batch([str(index) for index in range(12)])
        self.tag = 0
        self.queued: set[int] = set()  # in the queue: routed on some connection
        self.ever_sent: set[int] = set()

    @precondition(lambda self: self.batch.pending)
    @rule(routed=st.booleans())
    def send(self, routed: bool) -> None:
        """Send the first one to do; the broker queues it at once, or returns it."""
        index = self.batch.pending[0]
        self.tag += 1
        self.batch.mark_first_sent(self.tag)
        self.ever_sent.add(index)
        if routed:
            self.queued.add(index)
        else:
            self.batch.mark_returned(str(index))

    @precondition(lambda self: self.batch.in_flight)
    @rule(data=st.data(), multiple=st.booleans())
    def confirm(self, data: st.DataObject, multiple: bool) -> None:
        """Answer for some tag."""
        tag = data.draw(st.sampled_from(list(self.batch.in_flight)))
        self.batch.answer(tag, multiple=multiple, unroutable="no queue")

    @rule()
    def lose(self) -> None:
        """The connection goes; a new channel counts from 1."""
        self.batch.requeue_in_flight()
        self.tag = 0

    @invariant()
    def every_message_is_in_one_place(self) -> None:
        """To do, on its way or settled; and the two queues ascend."""
        pending, way = list(self.batch.pending), list(self.batch.in_flight.values())
        settled = [i for i, result in enumerate(self.batch.results) if result is not None]
        assert sorted(pending + way + settled) == list(range(12))
        assert pending == sorted(pending)
        assert way == sorted(way)

    @invariant()
    def every_settled_message_is_told_once(self) -> None:
        """By a time where it is confirmed, else by a word."""
        results = [result.outcome for result in self.batch.results if result is not None]
        assert len(self.batch.confirm_seconds) == results.count(PublishOutcome.CONFIRMED)
        assert self.batch.failures.total() == len(results) - len(self.batch.confirm_seconds)

    @invariant()
    def no_fate_says_more_than_is_true(self) -> None:
        """What is confirmed is in a queue; what is refused is in none."""
        for index, result in enumerate(self.batch.results):
            if result is not None and result.outcome is PublishOutcome.CONFIRMED:
                assert index in self.queued
            if result is not None and result.outcome is PublishOutcome.REFUSED:
                assert index not in self.queued

    def teardown(self) -> None:
        """Give up: what was never sent is refused, what was sent and not answered is unknown."""
        before: list[Any] = list(self.batch.results)
        self.batch.give_up("away")
        for index, (was, result) in enumerate(zip(before, self.batch.results, strict=True)):
            assert result is not None
            if was is None:
                sent_before = index in self.ever_sent
                assert result.outcome is (
                    PublishOutcome.UNKNOWN if sent_before else PublishOutcome.REFUSED
                )


TestBroker = Broker.TestCase
TestBroker.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
