"""A worker with a bug: an error that nobody foresaw, for every match, at a place of the code.

The variable WEAKENED names a file; the word in it, read anew for each match, is the place:

gate     before Celery looks at the delivery, in the main process
handle   in a pool child, before the failure policy applies
aside    and in putting the match aside, too
nets     and in all that would give the match back to the broker

No file: the worker is repaired.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from system.tests.weakened import run_given
from system.worker import batch, consumer, handling, tasks

_PLACES = ("gate", "handle", "aside", "nets")
_file = Path(os.environ["WEAKENED"])


def _breaks(place: str) -> bool:
    """Whether the code is broken there; what is broken further in is broken outside, too."""
    word = _file.read_text() if _file.exists() else ""
    if "gate" in (word, place):
        return word == place
    return bool(word) and _PLACES.index(place) <= _PLACES.index(word)


def _broken(function: Callable[..., Any], place: str) -> Any:
    def perhaps(*args: Any, **kwargs: Any) -> Any:
        if _breaks(place):
            raise ZeroDivisionError(f"nobody thought of this: {place}")
        return function(*args, **kwargs)

    return perhaps


if __name__ == "__main__":
    consumer.admit = _broken(consumer.admit, "gate")  # type: ignore[attr-defined]
    own: Any = handling.Handler
    own.handle = _broken(own.handle, "handle")
    batch.handle = _broken(batch.handle, "handle")
    own.put_aside = _broken(own.put_aside, "aside")
    tasks.Reject = _broken(tasks.Reject, "nets")  # type: ignore[attr-defined]
    run_given()
