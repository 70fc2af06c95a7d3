"""The plots of a run, as Vega-Lite specifications. Colours are readable on light and on dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from lab.checker.measures import Latency
from lab.checker.outcomes import Outcome
from lab.report.series import Rows, RunClock

HEIGHT = 230
ROOM_FOR_NAME = 8  # times the value, on a log scale

OUTCOME_COLOURS = {
    Outcome.COMMITTED: "#2a9d8f",
    Outcome.UNCHANGED: "#8cc5bd",
    Outcome.DEAD_LETTERED: "#9d8ec7",
    Outcome.REFUSED: "#8d99a6",
    Outcome.UNCONFIRMED: "#b9c0c8",
    Outcome.WAITING: "#e9b949",
    Outcome.UNDECIDED: "#f08a4b",
    Outcome.FAILED: "#e0607e",
    Outcome.LOST: "#d62839",
}
COLOURS = ["#4f86c6", "#e09f3e", "#2a9d8f", "#9d8ec7", "#c9737f", "#8d99a6"]
_BLUE, _AMBER, RED, _GREY, _GREEN = "#4f86c6", "#e09f3e", "#d62839", "#8d99a6", "#2a9d8f"
_SECONDS = "seconds into the run"


def outcomes(rows: Rows, faults: Rows, time: RunClock) -> dict[str, Any]:
    """Messages over time by outcome, stacked; faults shaded behind."""
    present = {row["outcome"] for row in rows}
    colours = {each.value: colour for each, colour in OUTCOME_COLOURS.items() if each in present}
    bars = (
        alt.Chart(data(rows))
        .mark_rect(stroke=None)
        .encode(
            x=_along(time, "from"),
            x2="to:Q",
            y=alt.Y("bottom:Q", title="messages", scale=alt.Scale(zero=True)),
            y2="top:Q",
            color=_coloured("outcome", colours, "square"),
            tooltip=["outcome:N", "messages:Q", "from:Q", "to:Q"],
        )
    )
    return _as_spec(_shaded(bars, faults, time))


def distribution(rows: Rows, measured: Latency, objective_ms: float | None) -> dict[str, Any]:
    """The distribution of latency over all messages, on a log scale; with the mean, its goal."""
    percentiles = {"p50": measured.p50, "p95": measured.p95, "p99": measured.p99}
    marks = [(name, value, _AMBER) for name, value in percentiles.items()]
    marks.append(("mean", measured.mean, _GREEN))
    if objective_ms is not None:
        marks.append(("goal of the mean", objective_ms, RED))
    marks.sort(key=lambda mark: mark[1])
    # Leave room for the name of the last mark, to its right.
    reach = [
        min(rows[0]["from"], objective_ms or rows[0]["from"]),
        max(rows[-1]["to"], ROOM_FOR_NAME * marks[-1][1]),
    ]
    headroom = 1.45 * max(row["messages"] for row in rows)  # for the names of the marks
    bars = (
        alt.Chart(data(rows))
        .mark_rect(color=_BLUE, opacity=0.85)
        .encode(
            x=alt.X(
                "from:Q",
                title="from publish to end (log scale)",
                scale=alt.Scale(type="log", nice=False, domain=reach),
                axis=alt.Axis(labelExpr=_UNITS, grid=False, values=_decades(reach)),
            ),
            x2="to:Q",
            y=alt.Y(
                "bottom:Q", title="messages", scale=alt.Scale(domain=[0, headroom], nice=False)
            ),
            y2="messages:Q",
            tooltip=["from:Q", "to:Q", "messages:Q"],
        )
    )
    layers = [bars]
    # From left to right, each mark begins lower than the one before: no line crosses a name.
    for level, (name, value, colour) in enumerate(marks):
        place = max(value, rows[0]["from"])
        layers += _mark(place, f"{name} {value:,.3g} ms", colour, 6 + 15 * level)
    return _as_spec(alt.layer(*layers).properties(height=HEIGHT))


def latency(
    points: Rows, bands: Rows, faults: Rows, time: RunClock, objective_ms: float | None
) -> dict[str, Any]:
    """Latency over the time of publishing: single messages, and percentiles over all of them."""
    seen = [row["ms"] for row in (*points, *bands)]
    reach = [min(seen), max(*seen, objective_ms or 0)]
    y = alt.Y(
        "ms:Q",
        title="latency (log scale)",
        scale=alt.Scale(type="log", nice=True),
        axis=alt.Axis(labelExpr=_UNITS, values=_decades(reach)),
    )
    dots = (
        alt.Chart(data(points))
        .mark_circle(size=9, color=_GREY, opacity=0.45)
        .encode(x=_along(time, "at"), y=y, tooltip=["at:Q", "ms:Q"])
    )
    lines = (
        alt.Chart(data(bands))
        .mark_line(strokeWidth=2)
        .encode(
            x=_along(time, "at"),
            y=y,
            color=_coloured("percentile", {"mean": _GREEN, "p50": _BLUE, "p99": _AMBER}, "stroke"),
        )
    )
    layers = dots + lines
    if objective_ms is not None:
        layers += (
            alt.Chart(data([{"ms": objective_ms}]))
            .mark_rule(color=RED, strokeWidth=1.5)
            .encode(y="ms:Q")
        )
    return _as_spec(_shaded(layers, faults, time))


def depths(rows: Rows, faults: Rows, time: RunClock) -> dict[str, Any]:
    """Messages ready in each queue over time; faults shaded behind."""
    queues = sorted({row["queue"] for row in rows})
    lines = (
        alt.Chart(data(rows))
        .mark_line(strokeWidth=2, interpolate="step")
        .encode(
            x=_along(time, "at"),
            y=alt.Y("ready:Q", title="messages ready"),
            color=_coloured("queue", dict(zip(queues, COLOURS, strict=False)), "stroke"),
            tooltip=["queue:N", "ready:Q", "at:Q"],
        )
    )
    return _as_spec(_shaded(lines, faults, time))


_UNITS = (
    "datum.value >= 1000 ? format(datum.value / 1000, ',~g') + ' s'"
    " : format(datum.value, '~g') + ' ms'"
)


def data(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as Altair takes them."""
    return alt.Data(values=list(rows))  # type: ignore[no-untyped-call]


def _along(time: RunClock, field: str) -> alt.X:
    return alt.X(
        f"{field}:Q",
        title=_SECONDS,
        scale=alt.Scale(domain=[0, time.seconds], nice=False),
        axis=alt.Axis(grid=False, tickCount=6),
    )


def _shaded(chart: Any, faults: Rows, time: RunClock) -> Any:
    """Put the time spans of the faults behind a chart, each with its name."""
    if not faults:
        return alt.layer(chart).properties(height=HEIGHT)
    base = alt.Chart(data(faults))
    window = base.mark_rect(color=RED, opacity=0.12).encode(
        x=_along(time, "from"), x2="to:Q", tooltip=["name:N", "from:Q", "to:Q"]
    )
    return alt.layer(window, chart).properties(height=HEIGHT)


def _mark(ms: float, name: str, colour: str, top: int) -> list[alt.Chart]:
    """An upright line that begins `top` pixels from above, with its name beside it."""
    base = alt.Chart(data([{"ms": ms, "name": name}]))
    rule = base.mark_rule(color=colour, strokeWidth=1.5).encode(
        x="ms:Q", y=alt.value(top), y2=alt.value(HEIGHT)
    )
    text = base.mark_text(
        align="left", dx=4, color=colour, fontSize=11, fontWeight="bold", baseline="top"
    ).encode(x="ms:Q", y=alt.value(top), text="name:N")
    return [rule, text]


def _coloured(field: str, colours: Mapping[str, str], symbol: str) -> alt.Color:
    """A colour for each value of a field, and a legend below; the page sets its columns."""
    return alt.Color(
        f"{field}:N",
        title=None,
        scale=alt.Scale(domain=list(colours), range=list(colours.values())),
        legend=alt.Legend(orient="bottom", symbolType=symbol),
    )


def _decades(reach: Sequence[float]) -> list[float]:
    """The powers of ten from just below to just above a range, for the ticks of a log axis."""
    first, last = math.floor(math.log10(reach[0])), math.ceil(math.log10(reach[1]))
    return [10.0**power for power in range(first, last + 1)]


def _as_spec(chart: Any) -> dict[str, Any]:
    spec: dict[str, Any] = chart.properties(width="container").to_dict()
    spec.pop("config", None)  # the page has its own, for light and for dark
    spec.pop("$schema", None)  # holds an address; the page must not load anything
    return spec
