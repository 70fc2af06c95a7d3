"""A worker with a bug outside of the failure policy: its handler raises before it begins."""

from __future__ import annotations

from typing import Any

from system.tests.weakened import run_given
from system.worker import handling


def _fail(self: Any, incoming: Any) -> None:
    raise ZeroDivisionError("nobody thought of this")


if __name__ == "__main__":
    handling.Handler.handle = _fail  # type: ignore[method-assign]
    run_given()
