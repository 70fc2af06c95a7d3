"""A way that fails is left alone for a while, and then tried again. With a clock of its own."""

from __future__ import annotations

from system.scraper.breaker import Breaker


class Clock:
    """A clock that stands still until it is told otherwise."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_it_opens_after_so_many_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker(failures_max=3, clock=Clock())
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        assert breaker.lets_through
        breaker.succeeded()
    for _ in range(3):
        assert breaker.lets_through
        breaker.failed()
    assert not breaker.lets_through


def test_after_its_rest_one_attempt_decides() -> None:
    clock = Clock()
    breaker = Breaker(failures_max=1, rest_s=10, clock=clock)
    breaker.failed()
    clock.now = 9.9
    assert not breaker.lets_through
    clock.now = 10.0
    assert breaker.lets_through
    breaker.failed()  # still away: another rest, from now on
    clock.now = 19.9
    assert not breaker.lets_through
    clock.now = 20.0
    assert breaker.lets_through
    breaker.succeeded()
    clock.now = 20.1
    assert breaker.lets_through
