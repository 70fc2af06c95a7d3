"""The kinds of panels that the dashboards use, each with a description of how good data looks.

A panel without a description is useless to an engineer who was paged, so none can be created.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat_model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, AMBER, RED, GREY, BLUE = "green", "orange", "red", "text", "blue"
HEIGHT, NUMBER_HEIGHT = 8, 4

Panel = Builder[model.Panel]
Step = tuple[float | None, str]
"""From this value on (None: from the lowest) the colour is this."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query to Prometheus, and the names of its series: `{{label}}` is filled in."""

    expression: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class PanelState:
    """The text and colour of one value of a state."""

    text: str
    colour: str


def red_from(limit: float) -> tuple[Step, ...]:
    """Good below the limit."""
    return ((None, GREEN), (limit, RED))


def green_from(limit: float) -> tuple[Step, ...]:
    """Good from the limit on."""
    return ((None, RED), (limit, GREEN))


def lines(
    title: str,
    text: str,
    unit: str,
    *queries: Query,
    width: int = 8,
    limit: Sequence[Step] = (),
    stacked: bool = False,
    soft_range: tuple[float, float] | None = None,
) -> Panel:
    """Lines over time.

    Args:
        title: what is shown, unique in its board.
        text: how good data looks, and bad data.
        unit: in Grafana's names, see `grafana_foundation_sdk.models.units`.
        queries: one or more, each with its legend.
        width: in 24ths of the board.
        limit: steps whose bounds are drawn across; the lowest can always be seen.
        stacked: added up, so that the upper edge is the sum.
        closer: the y axis spans this if the values allow it; otherwise it begins at 0.
    """
    panel = timeseries.Panel().height(HEIGHT).fill_opacity(30 if stacked else 8)
    panel.line_width(2).show_points(shapes.VisibilityMode.NEVER).span_nulls(False)
    panel.tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI))
    panel.legend(
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(shapes.LegendDisplayMode.LIST)
        .placement(shapes.LegendPlacement.BOTTOM)
        .calcs([])
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL))
    if soft_range is None:
        panel.min(0)
    else:
        panel.axis_soft_min(soft_range[0]).axis_soft_max(soft_range[1])
    if limit:
        panel.thresholds(_steps(limit))
        bounds = [value for value, _ in limit if value is not None]
        if soft_range is None:
            panel.axis_soft_max(min(bounds) * 1.1)
        panel.thresholds_style(
            common.GraphThresholdsStyleConfig().mode(shapes.GraphTresholdsStyleMode.DASHED)
        )
    return _filled(panel, title, text, unit, width, queries)


def number(
    title: str,
    text: str,
    unit: str,
    query: Query,
    *,
    steps: Sequence[Step] = ((None, BLUE),),
    width: int = 3,
    decimals: int | None = None,
    no_value: str = "no data",
) -> Panel:
    """The value now, large, coloured by steps; see `lines`.

    Queried for the present only: the last value of the dashboard's range could be an hour old.

    Args:
        untold: printed if there is no value, which is never the same as 0.
    """
    panel = stat.Panel().height(NUMBER_HEIGHT).thresholds(_steps(steps)).no_value(no_value)
    panel.graph_mode(shapes.BigValueGraphMode.NONE)
    panel.color_mode(shapes.BigValueColorMode.VALUE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    if decimals is not None:
        panel.decimals(decimals)
    return _filled(panel, title, text, unit, width, (query,), instant=True)


def states(
    title: str, text: str, query: Query, shown: Mapping[int, PanelState], *, width: int = 24
) -> Panel:
    """One bar over time for each series, coloured by its value; see `lines`."""
    panel = statetimeline.Panel().height(HEIGHT).fill_opacity(80).line_width(0)
    panel.show_value(shapes.VisibilityMode.NEVER).row_height(0.8).merge_values(True)
    mapped = {
        str(value): model.ValueMappingResult(text=each.text, color=each.colour, index=index)
        for index, (value, each) in enumerate(shown.items())
    }
    panel.mappings([model.ValueMap(options=mapped)])
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.thresholds(_steps(((None, GREY),)))
    return _filled(panel, title, text, "none", width, (query,))


def heat(title: str, text: str, unit: str, query: Query, *, width: int = 8) -> Panel:
    """The buckets of a histogram over time; see `lines`. The query keeps the label `le`."""
    panel = heatmap.Panel().height(HEIGHT).calculate(False)
    panel.y_axis(heatmap.YAxisConfig().unit(unit))
    panel.color(
        heatmap.HeatmapColorOptions()
        .mode(heat_model.HeatmapColorMode.SCHEME)
        .scheme("Oranges")
        .steps(64)
    )
    return _filled(panel, title, text, unit, width, (query,), PromQueryFormat.HEATMAP)


def _filled(
    panel: Any,  # the SDK's builders of panels have these methods in common, and no base that does
    title: str,
    text: str,
    unit: str,
    width: int,
    queries: Sequence[Query],
    form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
    *,
    instant: bool = False,
) -> Panel:
    panel.title(title).description(text).unit(unit).span(width).datasource(DATASOURCE)
    for name, each in zip(map(chr, range(ord("A"), ord("Z"))), queries, strict=False):
        asked = (
            prometheus.Dataquery()
            .expr(each.expression)
            .legend_format(each.legend or title)
            .ref_id(name)
            .format(form)
            .datasource(DATASOURCE)
        )
        panel.with_target(asked.instant() if instant else asked.range())
    filled: Panel = panel
    return filled


def _steps(steps: Sequence[Step]) -> dashboard.ThresholdsConfig:
    config = dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE)
    return config.steps([model.Threshold(*step) for step in steps])
