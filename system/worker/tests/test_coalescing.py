"""When matches go to the pool, and how many together."""

from __future__ import annotations

import itertools
import random

import pytest

from system.worker.coalescing import BATCH_BYTES_MAX, Limits, Waiting

LIMITS = Limits(size=4, wait_s=0.01, children=2)
NOW = 100.0


def _waiting(count: int, *, alone: int = 0, size_bytes: int = 400) -> Waiting[str]:
    waiting: Waiting[str] = Waiting(LIMITS, random.Random(7).randrange)
    for number in range(count):
        waiting.add(f"m-{number}", NOW, size_bytes)
    for number in range(alone):
        waiting.add(f"alone-{number}", NOW, size_bytes, alone=True)
    return waiting


def test_an_idle_worker_takes_the_first_match_at_once_and_alone() -> None:
    waiting = _waiting(1)
    assert waiting.due_in(0, NOW) == 0
    assert waiting.take() == ["m-0"]
    assert waiting.due_in(0, NOW) is None


@pytest.mark.parametrize(
    ("count", "under_way", "later_s", "due_in_s"),
    [
        (3, 1, 0.0, LIMITS.wait_s),
        (3, 1, 0.004, LIMITS.wait_s - 0.004),
        (3, 1, 5.0, 0.0),
        (4, 1, 0.0, 0.0),
        (4, 2, 0.0, None),
        (400, 2, 5.0, None),
        (0, 0, 5.0, None),
    ],
)
def test_while_a_child_is_busy_they_gather_until_a_batch_is_full_or_one_has_waited(
    count: int, under_way: int, later_s: float, due_in_s: float | None
) -> None:
    due = _waiting(count).due_in(under_way, NOW + later_s)
    assert due == (None if due_in_s is None else pytest.approx(due_in_s))


def test_a_backlog_goes_in_full_batches_in_its_order() -> None:
    waiting = _waiting(10)
    taken = [waiting.take() for _ in range(3)]
    assert [len(each) for each in taken] == [4, 4, 2]
    assert [*itertools.chain(*taken)] == [f"m-{number}" for number in range(10)]


def test_a_batch_fits_into_one_request_and_one_that_is_larger_goes_alone() -> None:
    assert len(_waiting(4, size_bytes=BATCH_BYTES_MAX // 2).take()) == 2
    assert len(_waiting(4, size_bytes=2 * BATCH_BYTES_MAX).take()) == 1


def test_what_goes_alone_waits_for_others_like_it_and_never_joins_a_batch() -> None:
    """The first one that comes back may be the one that killed the worker: others may pass it."""
    waiting = _waiting(2, alone=3)
    assert waiting.due_in(0, NOW) == pytest.approx(LIMITS.wait_s)
    taken = [waiting.take() for _ in range(4)]
    assert taken[0] == ["m-0", "m-1"]
    assert sorted(taken[1:]) == [["alone-0"], ["alone-1"], ["alone-2"]]


def test_what_goes_alone_is_taken_in_no_order() -> None:
    """So that one that kills the worker, again and again, is not always the first of them."""
    firsts = {_drawn_first(seed) for seed in range(20)}
    assert len(firsts) > 5


def _drawn_first(seed: int) -> str:
    waiting: Waiting[str] = Waiting(LIMITS, random.Random(seed).randrange)
    for number in range(10):
        waiting.add(f"alone-{number}", NOW, 400, alone=True)
    return waiting.take()[0]


def test_full_batches_and_those_that_go_alone_take_turns() -> None:
    waiting = _waiting(12, alone=2)
    assert [len(waiting.take()) for _ in range(5)] == [4, 1, 4, 1, 4]


def test_those_that_come_again_and_again_hold_up_no_batch_though_it_never_fills() -> None:
    """Two that hang until the time limit would take turns with each other only."""
    waiting = _waiting(2, alone=2)
    for _ in range(2):
        taken = waiting.take()
        if taken == ["m-0", "m-1"]:
            break
        waiting.add(taken[0], NOW, 400, alone=True)
    else:
        raise AssertionError("the batch was held up")


def test_nothing_is_left_after_emptying() -> None:
    waiting = _waiting(2, alone=1)
    assert waiting.empty() == ["m-0", "m-1", "alone-0"]
    assert len(waiting) == 0


def test_the_prefetch_reaches_all_children() -> None:
    assert LIMITS.prefetch >= LIMITS.size * LIMITS.children
