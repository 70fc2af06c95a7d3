"""Death by SIGKILL at a named point of a program of several processes, once: later it lives.

DIE_FILE is a file that holds the name of the point, behind the word `child` if only the process
that comes to it is to die, and not the program's main one, or behind the word `hold` if it is to
wait there until a file of the same name with `.held` is gone. It is removed at the death; while
there is none, nothing happens. (`dying` is the one for programs of one process, and counts calls.)
"""

from __future__ import annotations

import functools
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HELD_S = 60.0
"""What waits goes on after this."""

_MAIN = os.getpid()


def death_at(point: str) -> None:
    """Die here, with the process that all others of this program descend from."""
    armed = Path(os.environ["DIE_FILE"])
    try:
        *how, name = armed.read_text("ascii").split()
        if name != point:
            return
        armed.unlink()  # only one of several processes succeeds
    except (FileNotFoundError, ValueError):  # there is none, or it is being written
        return
    if how == ["hold"]:
        _wait_for_the_end_of(armed.with_suffix(".held"))
        return
    if not how:
        os.kill(_MAIN, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _wait_for_the_end_of(held: Path) -> None:
    held.touch()
    deadline = time.monotonic() + HELD_S
    while held.exists() and time.monotonic() < deadline:
        time.sleep(0.05)


def around(owner: Any, name: str, point: Callable[..., str]) -> None:
    """Put a point before and one after a function: `before-<point>` and `after-<point>`.

    Args:
        owner: class or module that holds the function.
        name: of the function.
        point: given the function's arguments, the name of the point.
    """
    function = getattr(owner, name)

    @functools.wraps(function)
    def mortal(*args: Any, **kwargs: Any) -> Any:
        where = point(*args, **kwargs)
        death_at(f"before-{where}")
        result = function(*args, **kwargs)
        death_at(f"after-{where}")
        return result

    setattr(owner, name, mortal)
