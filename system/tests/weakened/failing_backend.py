"""A backend with a bug: it fails at each match that says "poison" as its location.

The variable WEAKENED names a file; without it, the backend is repaired.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from system.backend import store
from system.tests.weakened import run_given

_submit = store.submit


def _fail_at_poison(connection: Any, submissions: Any, **options: Any) -> Any:
    bad = any(each.match.get("location") == "poison" for each in submissions)
    if bad and Path(os.environ["WEAKENED"]).exists():
        raise ZeroDivisionError("nobody thought of this")
    return _submit(connection, submissions, **options)


if __name__ == "__main__":
    store.submit = _fail_at_poison
    run_given()
