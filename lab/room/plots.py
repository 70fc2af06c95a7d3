"""The moving plots, as SVG that loads nothing and holds no style of its own. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lab.room.scene import HISTORY_S, Point, Shade
from lab.top.formatting import duration
from lab.top.snapshot import Number

WIDTH, HEIGHT = 560, 190
LEFT, RIGHT, TOP, BOTTOM = 58, 10, 12, 24
GAP_S = 6.0
"""Two points that are further apart are not joined: in between nothing was seen."""
_LEAST_S, _MOST_S = 0.01, 10.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One curve: its CSS class, and what it shows of a moment."""

    kind: str
    of: Callable[[Point], Number]


@dataclass(frozen=True, slots=True)
class Mark:
    """A horizontal line at a value: of the scale, or (`kind` goal) of an objective."""

    value: float
    label: str
    kind: str = "grid"


@dataclass(frozen=True, slots=True)
class Plot:
    """What the template draws; all places are in pixels of the view box."""

    lines: Sequence[tuple[str, str]]
    marks: Sequence[tuple[str, float, str]]
    shades: Sequence[tuple[float, float, str]]
    ticks: Sequence[tuple[float, str]]


def latency(now: float, points: Sequence[Point], shades: Sequence[Shade],
            mean_goal_s: Number, p99_goal_s: Number) -> Plot:  # fmt: skip
    """Latency over the last minutes, on a log scale, with the lines of the objectives."""
    curves = (Curve("mean", lambda p: p.mean_s), Curve("p99", lambda p: p.p99_s))
    highest = max((v for p in points for v in (p.mean_s, p.p99_s) if v is not None), default=0.0)
    top = max(_MOST_S, 10 ** math.ceil(math.log10(highest)) if highest > 0 else 0.0)
    low, high = math.log10(_LEAST_S), math.log10(top)

    def height(value: float) -> float:
        return (math.log10(max(value, _LEAST_S)) - low) / (high - low)

    marks = [
        Mark(10.0**power, duration(10.0**power)) for power in range(round(low), round(high) + 1)
    ]
    if mean_goal_s is not None:
        marks.append(Mark(mean_goal_s, f"mean under {duration(mean_goal_s)}", "goal mean"))
    if p99_goal_s is not None:
        marks.append(Mark(p99_goal_s, f"99 % within {duration(p99_goal_s)}", "goal p99"))
    return _plot(now, points, shades, curves, marks, height)


def flow(now: float, points: Sequence[Point], shades: Sequence[Shade]) -> Plot:
    """Messages a second over the last minutes: published, and taking effect."""
    curves = (Curve("published", lambda p: p.published), Curve("effects", lambda p: p.effects))
    highest = max((v for p in points for v in (p.published, p.effects) if v is not None), default=0)
    step = nice_step(highest)
    top = step * max(1, math.ceil(highest / step))
    marks = [Mark(step * n, f"{step * n:,.0f}/s") for n in range(round(top / step) + 1)]
    return _plot(now, points, shades, curves, marks, lambda value: value / top)


def nice_step(highest: float) -> float:
    """A round step of a scale from 0 to about `highest`, of which there are two to five."""
    if highest <= 10:
        return 5.0
    power: float = 10.0 ** math.floor(math.log10(highest))
    for step in (power / 2, power, power * 2):
        if highest / step <= 5:
            return step
    return power * 5


def _plot(
    now: float,
    points: Sequence[Point],
    shades: Sequence[Shade],
    curves: Sequence[Curve],
    marks: Sequence[Mark],
    height: Callable[[float], float],
) -> Plot:
    def x(at: float) -> float:
        share = min(1.0, max(0.0, 1 - (now - at) / HISTORY_S))
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - min(1.0, height(value)) * (HEIGHT - TOP - BOTTOM), 1)

    return Plot(
        lines=[(curve.kind, _path(points, curve, x, y)) for curve in curves],
        marks=[(mark.kind, y(mark.value), mark.label) for mark in marks],
        shades=[
            (x(each.since), max(2.0, x(each.until or now) - x(each.since)), each.fault)
            for each in shades
        ],
        ticks=[
            (x(now - back), f"{back // 60} min ago" if back else "now")
            for back in (180, 120, 60, 0)
        ],
    )


def _path(
    points: Sequence[Point],
    curve: Curve,
    x: Callable[[float], float],
    y: Callable[[float], float],
) -> str:
    """The curve; it is broken where there is no value, or nothing was seen for a while."""
    drawn: list[str] = []
    before: float | None = None
    for point in points:
        value = curve.of(point)
        if value is None:
            before = None
            continue
        joined = before is not None and point.at - before <= GAP_S
        drawn.append(f"{'L' if joined else 'M'}{x(point.at):g} {y(value):g}")
        before = point.at
    return "".join(drawn)
