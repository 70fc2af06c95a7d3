"""A worker for which a share of good messages fails for good, as if the API refused them.

The variable WEAKENED names a file; the share that stands in it, from 0 to 1, is read anew for each
message, so an experiment can change it while the worker runs. With the word `bug` behind the share,
they fail by an error that nobody foresaw. Which messages fail is decided by their ids: the same
ones at every attempt. No file is a share of 0.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from system.errors import Refused
from system.tests.weakened import run_given
from system.worker import handling

_submission = handling.Handler.submission
_share = Path(os.environ["WEAKENED"])
_IDS = 10_000


def _is_unlucky(message_id: str, share: float) -> bool:
    drawn = int.from_bytes(hashlib.sha256(message_id.encode()).digest()[:8]) % _IDS
    return drawn < share * _IDS


def _refuse_some(self: Any, incoming: Any) -> Any:
    share, _, how = (_share.read_text() if _share.exists() else "0").partition(" ")
    if _is_unlucky(incoming.message_id, float(share)):
        if how == "bug":
            raise ZeroDivisionError("nobody thought of this")
        raise Refused("refused by an experiment")
    return _submission(self, incoming)


if __name__ == "__main__":
    handling.Handler.submission = _refuse_some  # type: ignore[method-assign]
    run_given()
