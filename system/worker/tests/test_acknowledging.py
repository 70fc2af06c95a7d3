"""One frame for many deliveries, and never for one that is not settled."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.worker.acknowledging import Acknowledging, Frame
from system.worker.gathering import Gatherer

OWED_MAX = 4


class Given:
    """A delivery as kombu has it."""

    def __init__(self, delivery_tag: int) -> None:
        self.delivery_tag = delivery_tag
        self.acknowledged = False

    def __repr__(self) -> str:
        return str(self.delivery_tag)


class Channel:
    """What the broker knows of a channel: it closes one on which an unknown tag is acknowledged."""

    def __init__(self, count: int, owed_max: int = OWED_MAX) -> None:
        self.acknowledging: Acknowledging[Given] = Acknowledging(owed_max)
        self.given = [Given(tag) for tag in range(1, count + 1)]
        self.unsettled = {each.delivery_tag for each in self.given}
        self.frames = 0
        for each in self.given:
            self.acknowledging.delivered(each)

    def done(self, *tags: int) -> list[int]:
        """These took effect; return the tags that the broker hears of."""
        messages = [self.given[tag - 1] for tag in tags]
        return self.send(self.acknowledging.settled(messages))

    def send(self, frames: Iterable[Frame[Given]]) -> list[int]:
        """What kombu does with frames, and then the broker."""
        heard: list[int] = []
        for message, multiple in frames:
            self.frames += 1
            tag = message.delivery_tag
            assert tag in self.unsettled, f"the broker does not know {tag} any more"
            covered = [each for each in self.unsettled if each == tag or (multiple and each < tag)]
            self.unsettled -= set(covered)
            self.given[tag - 1].acknowledged = True
            heard += covered
        return sorted(heard)

    def settle_elsewhere(self, tag: int) -> None:
        """A frame of its own: rejected, or acknowledged by Celery."""
        self.unsettled.remove(tag)
        self.given[tag - 1].acknowledged = True


def test_what_stands_together_goes_in_one_frame() -> None:
    channel = Channel(6)
    assert channel.done(1, 2, 3) == [1, 2, 3]
    assert channel.done(5, 4, 6) == [4, 5, 6]
    assert channel.frames == 2


def test_one_alone_covers_no_other() -> None:
    (frame,) = Channel(2).acknowledging.settled([Given(1)])
    assert not frame.multiple


def test_what_is_settled_behind_one_that_is_not_is_owed_and_goes_with_it() -> None:
    channel = Channel(4)
    assert channel.done(2, 3) == []
    assert channel.done(1) == [1, 2, 3]
    assert channel.frames == 1


def test_too_many_are_not_owed() -> None:
    channel = Channel(9)
    assert channel.done(2, 3, 4, 5) == []
    assert channel.done(6) == [2, 3, 4, 5, 6]
    assert channel.frames == 5, "each by a frame of its own, for the first one is not settled"
    assert channel.done(7, 1) == [1, 7]
    assert channel.unsettled == {8, 9}


def test_nothing_is_owed_when_asked_for_all() -> None:
    channel = Channel(3)
    assert channel.done(2) == []
    assert channel.send(channel.acknowledging.all_owed()) == [2]
    assert channel.done(1, 3) == [1, 3]


def test_what_celery_settles_holds_up_nobody() -> None:
    channel = Channel(4)
    channel.settle_elsewhere(2)
    assert channel.done(1, 3, 4) == [1, 3, 4]
    assert channel.frames == 1


def test_what_was_acknowledged_before_is_not_acknowledged_again() -> None:
    channel = Channel(2)
    channel.settle_elsewhere(1)
    assert channel.done(1) == []
    assert channel.done(2) == [2]


@pytest.mark.parametrize("tags", [(1, 3), (2, 3), (2, 1)])
def test_where_a_delivery_was_not_told_of_each_has_a_frame_of_its_own(
    tags: tuple[int, int],
) -> None:
    """It could be before any of them, and a frame for several would cover it."""
    acknowledging: Acknowledging[Given] = Acknowledging(OWED_MAX)
    messages = [Given(tag) for tag in tags]
    for message in messages:
        acknowledging.delivered(message)
    assert acknowledging.settled(messages) == [Frame(each, multiple=False) for each in messages]


def test_one_that_takes_long_makes_nobody_keep_all_that_comes_after_it() -> None:
    channel = Channel(0)
    for tag in range(1, 10_000):
        channel.given.append(Given(tag))
        channel.unsettled.add(tag)
        channel.acknowledging.delivered(channel.given[-1])
        if tag % 3 == 0:
            channel.settle_elsewhere(tag)
        elif tag > 1:
            channel.done(tag)
    assert len(channel.acknowledging._open) <= 4 * OWED_MAX + 1
    assert channel.send(channel.acknowledging.all_owed()) is not None
    assert channel.unsettled == {1}


@given(
    st.lists(st.integers(1, 60), unique=True, min_size=1, max_size=60),
    st.lists(st.integers(1, 5), min_size=1, max_size=60),
    st.sets(st.integers(1, 60)),
    st.integers(1, 70),
)
def test_nothing_is_lost_nothing_is_kept_and_the_broker_knows_each_tag(
    order: list[int], sizes: list[int], elsewhere: set[int], owed_max: int
) -> None:
    channel = Channel(60, owed_max)
    settled: set[int] = set()
    turns = iter(sizes * 60)
    while order:
        many, order = order[: (size := next(turns))], order[size:]
        for tag in elsewhere & set(many):
            channel.settle_elsewhere(tag)
        settled |= set(many)
        channel.done(*(tag for tag in many if tag not in elsewhere))
        assert {each.delivery_tag for each in channel.given} - channel.unsettled <= settled
        assert len(channel.unsettled & settled) <= owed_max
    channel.send(channel.acknowledging.all_owed())
    assert channel.unsettled == set(range(1, 61)) - settled


def test_frames_are_sent_in_their_order_whatever_the_loop_makes_of_it() -> None:
    """What kombu's loop is to do soon, it keeps in a set."""
    sent: list[tuple[str, bool]] = []
    later: list[Any] = []

    def message(name: str) -> Any:
        return SimpleNamespace(
            ack_log_error=lambda *_, multiple: sent.append((name, multiple)),
        )

    gatherer = Gatherer.__new__(Gatherer)
    gatherer.errors = ()
    gatherer.consumer = SimpleNamespace(call_soon_ack=lambda *given, **named: later.append(given))
    gatherer._send([Frame(message("4"), multiple=False), Frame(message("5"), multiple=False)])
    gatherer._send([Frame(message("9"), multiple=True)])
    assert sent == [("4", False), ("5", False), ("9", True)]
    assert later == []


def test_a_connection_that_broke_meanwhile_is_the_loops_matter() -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise BrokenPipeError

    gatherer = Gatherer.__new__(Gatherer)
    gatherer.errors = ()
    gatherer._send([Frame[Any](SimpleNamespace(ack_log_error=broken), multiple=False)])
