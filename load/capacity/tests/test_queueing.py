"""Waiting and draining: by formulas of textbooks, and by a queue that is played through."""

from __future__ import annotations

import math
import random

import pytest

from load.capacity import queueing


def test_a_backlog_lasts_as_long_as_more_is_taken_than_comes() -> None:
    assert queueing.drain_s(1000, 200) == 5
    assert queueing.drain_s(1000, 200, arriving_per_s=100) == 10
    assert queueing.drain_s(0, 200, arriving_per_s=300) == 0
    assert math.isinf(queueing.drain_s(1, 200, arriving_per_s=200))


def _played(arriving: float, takes: float, seed: int) -> float:
    """The mean of a queue with random arrivals and random times of service, in milliseconds."""
    rng = random.Random(seed)
    now = free = spent = 0.0
    count = 300_000
    for _ in range(count):
        now += rng.expovariate(arriving)
        begins = max(now, free)
        free = begins + rng.expovariate(takes)
        spent += free - now
    return 1000 * spent / count


def test_what_was_measured_at_one_rate_tells_the_others() -> None:
    alone = 1000 / 100
    wait = queueing.wait_ms(50, 100, _played(50, 100, seed=1), alone)
    assert wait == pytest.approx(alone, rel=0.1)  # as theory has it for such a queue
    for arriving in (20.0, 70.0, 80.0):
        predicted = queueing.mean_ms(arriving, 100, alone, wait)
        assert predicted == pytest.approx(_played(arriving, 100, seed=2), rel=0.15)


def test_from_saturation_on_the_mean_has_no_limit() -> None:
    assert math.isinf(queueing.mean_ms(100, 100, 10, 1))
    with pytest.raises(ValueError, match="between 0 and 100/s"):
        queueing.wait_ms(100, 100, 5, 1)


def test_the_largest_rate_just_keeps_the_goal() -> None:
    rate = queueing.largest_rate(1000, alone_ms=20, wait_ms=150, goal_ms=500)
    assert queueing.mean_ms(rate, 1000, 20, 150) == pytest.approx(500)
    assert queueing.largest_rate(1000, alone_ms=600, wait_ms=150, goal_ms=500) == 0
    assert queueing.largest_rate(1000, alone_ms=20, wait_ms=0, goal_ms=500) == 1000
