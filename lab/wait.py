"""The only place of the laboratory that waits: for a described condition, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lab.errors import NotWithin

T = TypeVar("T")


def eventually(
    what: str,
    look: Callable[[], T],
    *,
    within_s: float,
    every_s: float = 0.05,
    tolerate: tuple[type[Exception], ...] = (),
) -> T:
    """Call `look` until it returns something true, and return that.

    Args:
        what: the condition, in words that complete "waited for …".
        look: returns a true value once the condition holds.
        within_s: the deadline, in seconds from now.
        every_s: seconds between two looks.
        tolerate: errors of `look` that mean "not yet".

    Raises:
        NotWithin: the deadline passed; says what was seen last.
    """
    deadline = time.monotonic() + within_s
    while True:
        cause: Exception | None = None
        last: object = None
        try:
            last = look()
            if last:
                return last
        except tolerate as error:
            cause, last = error, error
        if time.monotonic() >= deadline:
            raise NotWithin(
                f"waited for {what}: not within {within_s:g} s; last saw {last!r}"
            ) from cause
        time.sleep(every_s)


def run_for(seconds: float, watch: Callable[[], None] = lambda: None) -> None:
    """Let time pass, for load and faults to do their work.

    Args:
        seconds: how long.
        watch: looks, ten times a second, whether going on makes sense; what it raises ends the
            wait.
    """
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        watch()
        time.sleep(min(left, 0.1))


@contextmanager
def stopwatch() -> Iterator[Callable[[], float]]:
    """Give a function that tells the seconds since the block was entered."""
    begun = time.monotonic()
    yield lambda: time.monotonic() - begun
