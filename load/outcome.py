"""What a load came to: its budgets and the audit's verdict, for people and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.checker import verdict as verdicts
from lab.checker.verdict import Verdict
from lab.errors import CannotRun, LabError
from lab.history import log
from load import budgets, measured
from load.budgets import Budget, Line
from load.options import Chosen
from load.requests import COMMIT, CONFIRM, POST

BUDGETS_FILE = "budgets.json"
STATS_FILE = "locust.json"
"""Locust's statistics, as its own --json-file writes them."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a load came to.

    Attributes:
        audit, why: the lab's verdict.
        throughput_max: effects a second, over the best five seconds.
    """

    profile: str
    way: str
    lines: list[Line]
    audit: Verdict
    why: str
    throughput_max: float | None

    @property
    def budgets(self) -> Verdict:
        """Whether the budgets were kept."""
        return budgets.verdict(self.lines)

    @property
    def exit_code(self) -> int:
        """The worse of budgets and audit."""
        return budgets.exit_code(self.budgets, self.audit)


def result(
    chosen: Chosen, folder: Path, stats: Sequence[Mapping[str, Any]], audit: Verdict, why: str
) -> Result:
    """Evaluate the budgets of a load from what it left in `folder`, and from Locust's JSON.

    Raises:
        LabError: there are no budgets for it, or its history cannot be read.
    """
    seen = measured.course(log.read(folder / log.FILE))
    # Confirms by the queue way, answers by the HTTP way: a load goes one of them.
    confirm = measured.requests(stats, CONFIRM, POST)
    commit = measured.requests(stats, COMMIT)
    numbers = {
        budgets.REQUESTS: confirm["count"],
        "success_ratio": _success(folder),
        "confirm_p95_ms": confirm["p95"],
        "confirm_p99_ms": confirm["p99"],
        "commit_mean_ms": commit["mean"],
        "commit_p95_ms": commit["p95"],
        "commit_p99_ms": commit["p99"],
        "depth_max": seen.depth_max,
        "drain_s": seen.drain_s,
        "follows_factor": measured.follows(seen),
    }
    lines = budgets.evaluate(budget_of(chosen), numbers)
    return Result(chosen.name, chosen.way, lines, audit, why, seen.throughput_max)


def budget_of(chosen: Chosen) -> Budget:
    """The budgets of a load.

    Raises:
        CannotRun: there are none, or their file cannot be read.
    """
    known = budgets.load(chosen.budgets)
    if chosen.name not in known:
        raise CannotRun(f"{chosen.budgets} has no budgets for the load {chosen.name!r}")
    return known[chosen.name]


def write(found: Result, folder: Path, stats: Sequence[Mapping[str, Any]]) -> None:
    """Leave the result and Locust's statistics in the run's folder.

    Raises:
        OSError: they cannot be written.
    """
    document = {
        "profile": found.profile,
        "way": found.way,
        "budgets": [{**line._asdict(), "value": _finite(line.value)} for line in found.lines],
        "budgets_verdict": found.budgets.value,
        "audit": found.audit.value,
        "why": found.why,
        "throughput_max_per_s": found.throughput_max,
        "exit_code": found.exit_code,
    }
    (folder / BUDGETS_FILE).write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    (folder / STATS_FILE).write_text(json.dumps(list(stats), indent=2) + "\n", "utf-8")


def words(found: Result) -> list[str]:
    """The same for people."""
    signs = {True: "✓", False: "✗", None: "?"}
    said = [f"budgets of {found.profile!r}: {found.budgets.value}"]
    for line in found.lines:
        value = "not measured" if line.value is None else _shown(line.value)
        least = line.name.endswith("_min") or line.name == budgets.REQUESTS
        said.append(
            f"  {signs[line.met]} {line.name:20} {value}, at {'least' if least else 'most'}"
            f" {line.limit:,g}"
        )
    if found.throughput_max is not None:
        said.append(f"  best throughput      {found.throughput_max:,.0f} effects a second")
    said.append(f"audit: {found.audit.value}: {found.why}")
    return said


def _success(folder: Path) -> float | None:
    try:
        document = verdicts.read(folder / verdicts.FILE)
    except LabError:
        return None  # the audit's verdict is unknown then, too
    value = document["slo"].get("success_ratio", {}).get("value")
    return None if value is None else float(value)


def _shown(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= value < math.inf else f"{value:.4g}"


def _finite(value: float | None) -> float | str | None:
    return "inf" if value is not None and math.isinf(value) else value
