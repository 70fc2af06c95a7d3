"""A role that kills its own process at one point of its work, as a power cut would.

The variable DYING_AT names the point: `before` or `after`, a function, and which call of it, as in
`after system.scraper.outbox:Outbox.put 2`.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
from typing import Any

from system.tests.weakened import run_given


def die_at(point: str) -> None:
    """Let this process be killed at `point`."""
    when, name, nth = point.split()
    module, _, path = name.partition(":")
    owner: Any = importlib.import_module(module)
    *outer, last = path.split(".")
    for each in outer:
        owner = getattr(owner, each)
    original, calls = getattr(owner, last), 0

    @functools.wraps(original)
    def mortal(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == int(nth) and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if calls == int(nth):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, last, mortal)


if __name__ == "__main__":
    die_at(os.environ["DYING_AT"])
    run_given()
