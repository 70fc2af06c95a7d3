"""What a notebook shows, as values: lines of a chart, its shades, verdicts of a table. Pure.

A sentence about a picture can then be held against the picture (`lab.dev.notebook_claims`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import altair as alt
from rich.table import Table

Line = Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart over time.

    Attributes:
        lines: by name: seconds since the left edge, and the value; None breaks the line.
        broken: when something was broken on purpose, from and to.
        goals: the levels that are drawn across.
        end: the right edge, in seconds.
        rows: everything that is drawn, also of charts that are not over time.
    """

    lines: Mapping[str, Line]
    broken: Sequence[tuple[float, float]]
    goals: Sequence[float]
    end: float
    rows: Sequence[Mapping[str, Any]]

    def values(self, name: str, since: float = -math.inf, until: float = math.inf) -> list[float]:
        """The values of a line within a time."""
        return [
            value
            for at, value in self.lines[name]
            if since <= at <= until and value is not None and math.isfinite(value)
        ]

    def highest(self, name: str, since: float = -math.inf, until: float = math.inf) -> float:
        """The highest value of a line within a time; 0 if it has none there."""
        return max(self.values(name, since, until), default=0.0)

    def begins(self, name: str) -> float:
        """When a line has its first value."""
        return next((at for at, value in self.lines[name] if value is not None), math.inf)

    def changes(self, name: str) -> int:
        """How often a line goes to another level."""
        return sum(before != after for before, after in pairwise(self.values(name)))

    def falls(self, name: str) -> bool:
        """Whether a line goes down anywhere."""
        return any(after < before for before, after in pairwise(self.values(name)))

    def gap_s(self, name: str, since: float) -> float:
        """The longest time without a value, from a moment on, in seconds."""
        there = [at for at, value in self.lines[name] if value is not None and at >= since]
        return max((after - before for before, after in pairwise([since, *there])), default=0.0)

    def gone_after_s(self, name: str, since: float, level: float) -> float:
        """How long after a moment a line is at a level or below it; infinite if never."""
        return next(
            (at - since for at, value in self.lines[name]
             if at >= since and value is not None and value <= level),
            math.inf,
        )  # fmt: skip


def of(shown: Any) -> Any:
    """What a cell showed: a chart as `Drawn`, a table as {first column: last}, else itself."""
    if isinstance(shown, Table):
        first, *_, last = (list(column.cells) for column in shown.columns)
        return dict(zip(map(str, first), map(str, last), strict=True))
    if not isinstance(shown, alt.TopLevelMixin):
        return shown
    spec = shown.to_dict()
    layers = [spec, *spec.get("layer", ())]  # what only one layer draws may stand above it
    rows = [row for layer in layers for row in layer.get("data", {}).get("values", [])]
    lines: dict[str, list[tuple[float, float | None]]] = {}
    for row in rows:
        if "line" in row:
            lines.setdefault(row["line"], []).append((row["at"], row["value"]))
    ends = [
        layer["encoding"]["x"]["scale"]["domain"][1]
        for layer in layers
        if "domain" in layer.get("encoding", {}).get("x", {}).get("scale", {})
    ]
    return Drawn(
        lines,
        sorted({(row["from"], row["to"]) for row in rows if "fault" in row}),
        sorted({row["value"] for row in rows if "name" in row and "value" in row}),
        max(ends, default=0.0),
        rows,
    )
