"""How a worker is, by the age of a file: `python -m system.worker.health FILE`.

Two files, two questions. The *ready file* is touched only while the worker consumes, and is gone
without a broker: it says whether the worker is of use now. The *alive file* is also touched while
it waits for its broker: if that one is minutes old, its loop hangs, and only a restart helps. A
probe only reads a file. If even starting Python takes too long: `find FILE -newermt '-30 seconds'`.

Exit codes: 0 the file is young enough, 1 it is not (and why), 2 wrong arguments.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

EVERY_S = 2.0
"""Seconds between two touches."""

MAX_AGE_S = 30.0
"""A busy loop touches the file late; one that hangs does not touch it."""


def is_fresh(file: Path, max_age_s: float = MAX_AGE_S) -> bool:
    """Return whether the worker that keeps `file` has touched it within `max_age_s`."""
    age = age_s(file)
    return age is not None and age <= max_age_s


def age_s(file: Path) -> float | None:
    """Seconds since the last touch; None if there is no file."""
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return None


def main() -> int:
    """Answer the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m system.worker.health",
        description="Report whether the worker that touches FILE has done so lately.",
        epilog="Exit codes: 0 it has, 1 it has not. Example: "
        "python -m system.worker.health /run/worker.ready --max-age 30",
    )
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="MISSING_TABLE_READY_FILE or MISSING_TABLE_ALIVE_FILE of it",
    )
    parser.add_argument("--max-age", type=float, default=MAX_AGE_S, help="seconds; default 30")
    given = parser.parse_args()
    age = age_s(given.file)
    if is_fresh(given.file, given.max_age):
        return 0
    why = "is not there" if age is None else f"is {age:.0f} seconds old"
    print(f"no recent sign of the worker: {given.file} {why}")  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
