"""Single keys from the terminal while the screen is shown; the terminal is restored afterwards."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lab.wait import run_for

ENDS = b"qQ"
_READ_MAX = 64

Pressed = Callable[[float], bool]


@contextmanager
def pressed_keys() -> Iterator[Pressed]:
    """Read keys as they are pressed, for the block.

    Gives a function that waits for up to the given seconds, and returns whether a key of `ENDS` was
    pressed. Without a terminal to read from it only waits.
    """
    source = sys.stdin.fileno() if sys.stdin.isatty() else None
    if source is None:
        yield _wait
        return
    before = termios.tcgetattr(source)
    try:
        tty.setcbreak(source)  # Ctrl-C still interrupts
        yield lambda within_s: _pressed(source, within_s)
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)


def _pressed(source: int, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([source], [], [], left)
        if not ready:
            return False
        read = os.read(source, _READ_MAX)
        if not read or any(key in ENDS for key in read):  # the terminal is gone, or a key
            return True
    return False


def _wait(within_s: float) -> bool:
    run_for(within_s)
    return False
