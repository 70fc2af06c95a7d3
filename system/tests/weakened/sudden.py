"""Death by SIGKILL at a named point of a program of several processes, once: later it lives.

DIE_FILE is a file that holds the name of the point. It is removed at the death; while there is
none, nothing happens. (`dying` is the one for programs of one process, and counts calls.)
"""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MAIN = os.getpid()


def death_at(point: str) -> None:
    """Die here, with the process that all others of this program descend from."""
    armed = Path(os.environ["DIE_FILE"])
    try:
        if armed.read_text("ascii") != point:
            return
        armed.unlink()  # only one of several processes succeeds
    except FileNotFoundError:
        return
    os.kill(_MAIN, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


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
