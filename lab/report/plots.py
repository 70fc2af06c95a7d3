"""Plots of Prometheus' series for notebooks: lines over time, goals as lines, faults shaded.

Pure: series in, an Altair chart out. Time is counted in seconds from the beginning of a span that
all pictures of a page share, so that they can be compared by eye.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import altair as alt

from lab.clients.prometheus.results import Series
from lab.report.charts import COLOURS, RED, data

WIDTH, HEIGHT = 640, 220
GAP_STEPS = 1.5
"""Two points are normally one step apart; if they are further apart, a sample is missing."""

Chart = alt.LayerChart | alt.FacetChart
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """The time span of a fault, in seconds since the epoch."""

    name: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class GoalLine:
    """A level that a line should stay on one side of, and its name."""

    name: str
    value: float


def latency(
    lines: Mapping[str, Series],
    goal_ms: float,
    faults: Sequence[FaultWindow] = (),
    span: Span | None = None,
) -> Chart:
    """Latency over time against its objective; the series are in seconds, the plot in ms."""
    goal = GoalLine(f"{goal_ms:g} ms", goal_ms)
    return over_time(_times(1000, lines), "latency, ms", span, goal=goal, faults=faults)


def success(
    lines: Mapping[str, Series],
    objective: float,
    faults: Sequence[FaultWindow] = (),
    span: Span | None = None,
) -> Chart:
    """The share of messages that took effect, over time, against its objective; both 0 to 1."""
    goal, percent = GoalLine(f"{objective:.1%}", objective * 100), _times(100, lines)
    return over_time(percent, "took effect, %", span, goal=goal, faults=faults, from_zero=False)


def depth(
    lines: Mapping[str, Series], faults: Sequence[FaultWindow] = (), span: Span | None = None
) -> Chart:
    """Messages ready in each queue, over time."""
    return over_time(lines, "messages ready", span, faults=faults)


def over_time(
    lines: Mapping[str, Series],
    title: str,
    span: Span | None = None,
    *,
    goal: GoalLine | None = None,
    faults: Sequence[FaultWindow] = (),
    from_zero: bool = True,
) -> Chart:
    """Lines over time.

    Args:
        lines: by their names in the legend. If points are missing or not finite, the line is
            broken: a gap must not look like a value.
        title: of the y axis, with the unit.
        span: from when to when, in seconds since the epoch; without it, as far as there are points.
        goal: drawn across, with its name.
        faults: shaded, with their names on top.
        from_zero: whether the y axis begins at 0.

    Raises:
        ValueError: no line has a point.
    """
    moments = [at for series in lines.values() for at, _ in series.points]
    if not moments:
        raise ValueError(f"nothing to draw for {title!r}: no series has a point")
    begin, end = span or (min(moments), max(moments))
    rows = [
        {"line": name, "at": round(at - begin, 3), "value": value}
        for name, each in lines.items()
        for at, value in _with_gaps(each.points)
    ]
    x = alt.X(
        "at:Q",
        title="seconds",
        scale=alt.Scale(domain=[0, max(end - begin, 1)], nice=False),
        axis=alt.Axis(grid=False, tickCount=10),
    )
    # A line that never leaves 0 would be drawn across the middle of an axis without numbers.
    flat = from_zero and goal is None and not any(row["value"] for row in rows)
    scale = alt.Scale(domain=[0, 1]) if flat else alt.Scale(zero=from_zero)
    y = alt.Y("value:Q", title=title, scale=scale)
    domain = list(lines)
    colour = alt.Color(
        "line:N",
        title=None,
        scale=alt.Scale(domain=domain, range=COLOURS[: len(domain)]),
        legend=alt.Legend(orient="bottom", symbolType="stroke"),
    )
    layers: list[alt.Chart] = _shades(faults, begin, end)
    layers.append(alt.Chart(data(rows)).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour))
    if goal is not None:
        layers += _level(goal)
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)


def _times(factor: float, lines: Mapping[str, Series]) -> dict[str, Series]:
    return {
        name: Series(each.labels, tuple((at, value * factor) for at, value in each.points))
        for name, each in lines.items()
    }


def _with_gaps(
    points: Sequence[tuple[float, float]],
) -> Iterator[tuple[float, float | None]]:
    """The points, with None at each place where the line has to be broken."""
    step = min((after[0] - before[0] for before, after in pairwise(points)), default=0.0)
    last = None
    for at, value in points:
        if last is not None and at - last > GAP_STEPS * step:
            yield last + step, None
        yield at, value if math.isfinite(value) else None
        last = at


def _shades(faults: Sequence[FaultWindow], begin: float, end: float) -> list[alt.Chart]:
    rows = [
        {
            "fault": fault.name,
            "from": round(max(fault.begin, begin) - begin, 3),
            "to": round(min(fault.end, end) - begin, 3),
        }
        for fault in faults
        if fault.end >= begin and fault.begin <= end
    ]
    if not rows:
        return []
    base = alt.Chart(data(rows))
    names = base.mark_text(align="left", dy=-4, baseline="bottom", color=RED, fontSize=11)
    return [
        base.mark_rect(color=RED, opacity=0.12).encode(x="from:Q", x2="to:Q"),
        names.encode(x="from:Q", y=alt.value(0), text="fault:N"),
    ]


def _level(goal: GoalLine) -> list[alt.Chart]:
    base = alt.Chart(data([{"value": goal.value, "name": goal.name}])).encode(y="value:Q")
    rule = base.mark_rule(color=RED, strokeDash=[6, 4], strokeWidth=1.5)
    name = base.mark_text(align="right", dx=-4, dy=-7, color=RED, fontSize=11, fontWeight="bold")
    return [rule, name.encode(x=alt.value(WIDTH), text="name:N")]
