"""How long each test took when it was last measured, by tier: `durations.json`.

It says how long a run will take, and lets the long tests start first. It is written by any run
with `PYTEST_ARGS=--record`, and by `make test-durations`; nothing depends on its being right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

FILE = Path(__file__).with_name("durations.json")
LEAST_S = 0.5
"""What takes less is not kept."""

Record = dict[str, dict[str, float]]
"""By tier: seconds by test, as pytest names it."""


def read(file: Path = FILE) -> Record:
    """The record; empty if there is none."""
    try:
        found: Record = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return found


def write(measured: Mapping[str, Mapping[str, float]], file: Path = FILE) -> None:
    """Replace the record of the tiers that were measured."""
    record = read(file) | {
        tier: {
            test: round(seconds, 1) for test, seconds in sorted(tests.items()) if seconds >= LEAST_S
        }
        for tier, tests in measured.items()
    }
    keep(record, file)


def keep(content: Mapping[str, object], file: Path) -> None:
    """Write a record down, in an order that changes little."""
    text = json.dumps(dict(sorted(content.items())), indent=1, ensure_ascii=False)
    file.write_text(text + "\n", "utf-8")


def of(tiers: Iterable[str], file: Path = FILE) -> dict[str, float]:
    """The seconds of every test in some tiers."""
    record = read(file)
    return {test: seconds for tier in tiers for test, seconds in record.get(tier, {}).items()}


def total(tests: Mapping[str, float], jobs: int) -> float:
    """How long tests take in so many processes, in seconds."""
    return max(sum(tests.values()) / jobs, max(tests.values(), default=0.0))


def words(seconds: float) -> str:
    """A duration for people."""
    minutes = round(seconds / 60)
    return "less than a minute" if minutes < 1 else f"about {minutes} min"
