"""How the tests of each tier ended when that was last recorded: `results.json`.

The page about the tests shows it. It is written by any run with `PYTEST_ARGS=--record`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from lab.dev import durations

FILE = durations.FILE.with_name("results.json")


class Result(TypedDict):
    """How a tier ended. The date is in UTC, the seconds are those of the whole run."""

    on: str
    passed: int
    failed: int
    skipped: int
    seconds: int


def read(file: Path = FILE) -> dict[str, Result]:
    """By tier; empty if none was recorded."""
    try:
        found: dict[str, Result] = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return found


def write(ended: Mapping[str, Result], file: Path = FILE) -> None:
    """Replace the results of the tiers that were run."""
    durations.keep(read(file) | dict(ended), file)


def words(ended: Result) -> str:
    """How it ended, for people."""
    parts = [f"{ended['passed']:,} passed"]
    if ended["failed"]:
        parts.append(f"{ended['failed']:,} failed")
    if ended["skipped"]:
        parts.append(f"{ended['skipped']:,} skipped")
    minutes, seconds = divmod(ended["seconds"], 60)
    return f"{ended['on']}: {', '.join(parts)} in {minutes}:{seconds:02} min"
