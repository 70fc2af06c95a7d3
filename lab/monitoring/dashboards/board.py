"""A dashboard that Grafana can import, drawn from the top: a row's title, then its panels.

Every panel has a description of how good data looks and how bad data does: without one it is
useless to an engineer who was paged, so none can be drawn.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from string import ascii_uppercase
from typing import Any

from grafana_foundation_sdk.builders import (
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heat_model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from lab.monitoring.metrics import FAULTS, FIRING
from lab.slo.spec import Slo, load

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, AMBER, RED, GREY, BLUE = "green", "orange", "red", "text", "blue"
TAG = "missing-table"
_WIDTH, _HEIGHT, _NUMBER_HEIGHT = 24, 8, 4
_IDS_MAX = 2**31 - 1

Steps = Sequence[tuple[float | None, str]]
"""From each value on (None: from the lowest) the colour is this."""
Queries = Mapping[str, str]
"""PromQL by the name of its series, in which `{{label}}` is filled in."""


def red_from(limit: float) -> Steps:
    """Good below the limit."""
    return ((None, GREEN), (limit, RED))


def green_from(limit: float) -> Steps:
    """Good from the limit on."""
    return ((None, RED), (limit, GREEN))


def success_steps() -> Steps:
    """Good where the share of messages that take effect is as promised in lab/slo/slo.yaml."""
    return green_from(_promised("success").goal.target)


def latency_steps() -> Steps:
    """Good where the mean latency is as promised in lab/slo/slo.yaml."""
    return red_from(_promised("latency-mean").bound)


@cache
def _promised(name: str) -> Slo:
    return next(slo for slo in load() if slo.name == name)


class Board:
    """A dashboard."""

    def __init__(
        self, name: str, title: str, summary: str, variables: Mapping[str, str] | None = None
    ) -> None:
        """Begin.

        Args:
            name: of its file, and the end of its uid, which never changes: links stay valid.
            summary: the question that it answers.
            variables: labels by which its panels can be narrowed, each with the metric that has
                their values.
        """
        self.name = name
        self._board = board = build.Dashboard(title).uid(f"{TAG}-{name}").description(summary)
        board.tags([TAG]).timezone("browser").refresh("10s").time("now-1h", "now")
        board.tooltip(model.DashboardCursorSync.CROSSHAIR).editable()
        board.with_variable(
            build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
        )
        for label, metric in (variables or {}).items():
            board.with_variable(
                build.QueryVariable(label)
                .datasource(DATASOURCE)
                .query(f"label_values({metric}, {label})")
                .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
                .include_all(True)
                .all_value(".*")
                .multi(True)
                .current(model.VariableOption(selected=True, text="All", value="$__all"))
            )
        board.link(
            build.DashboardLink("Missing Table")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
        board.annotation(_Marks("Alerts", FIRING, "{{alertname}}", "severity,component,slo", "red"))
        board.annotation(_Marks("Faults", f"{FAULTS} > 0", "{{fault}}", "fault", "orange"))

    def row(self, title: str, *, numbers: int = 1) -> None:
        """Begin a row: the panels that follow lie side by side below its title.

        Args:
            numbers: how many numbers share the width.
        """
        self._board.with_row(build.Row(title))
        self._number_width = _WIDTH // numbers

    def panel(self, title: str, text: str) -> Panel:
        """A panel, to be drawn by one of its methods.

        Args:
            title: what is shown, unique in the board.
            text: how good data looks, and bad data.
        """
        return Panel(self._board, title, text, self._number_width)

    def as_json(self) -> str:
        """Its JSON, stable and with a panel a line: a small change here is a small change there."""
        built = self._board.build()
        for panel in built.panels or []:
            # From the title, not the place: a panel that is inserted keeps the links of others.
            name = f"{type(panel).__name__} {panel.title}"
            panel.id_val = zlib.crc32(name.encode()) % _IDS_MAX
        drawn = [_json(panel) for panel in built.panels or []]
        built.panels = []
        empty, full = '"panels": []', '"panels": [\n  ' + ",\n  ".join(drawn) + "\n ]"
        return _json(built, indent=1).replace(empty, full) + "\n"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of a board: each method draws one kind of it, and adds it to the board.

    The arguments that all have: `unit` is in Grafana's names, see
    `grafana_foundation_sdk.models.units`; `width` is in 24ths of the board.
    """

    board: build.Dashboard
    title: str
    text: str
    number_width: int

    def lines(
        self,
        unit: str,
        queries: Queries,
        *,
        width: int = 8,
        limit: Steps = (),
        stacked: bool = False,
        soft_range: tuple[float, float] | None = None,
    ) -> None:
        """Lines over time.

        Args:
            limit: steps whose bounds are drawn across; the lowest can always be seen.
            stacked: added up, so that the upper edge is the sum.
            soft_range: the y axis spans this if the values allow it; otherwise it begins at 0.
        """
        panel = timeseries.Panel().height(_HEIGHT).fill_opacity(30 if stacked else 8)
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
            panel.thresholds(_thresholds(limit))
            if soft_range is None:
                panel.axis_soft_max(min(value for value, _ in limit if value is not None) * 1.1)
            panel.thresholds_style(
                common.GraphThresholdsStyleConfig().mode(shapes.GraphTresholdsStyleMode.DASHED)
            )
        self._add(panel, unit, queries, width)

    def number(
        self,
        unit: str,
        query: str,
        *,
        steps: Steps = ((None, BLUE),),
        decimals: int | None = None,
        no_value: str = "no data",
    ) -> None:
        """The value now, large, coloured by steps.

        Queried for the present only: the last value of the dashboard's range could be an hour old.

        Args:
            no_value: printed if there is no value, which is never the same as 0.
        """
        panel = stat.Panel().height(_NUMBER_HEIGHT).thresholds(_thresholds(steps))
        panel.no_value(no_value).graph_mode(shapes.BigValueGraphMode.NONE)
        panel.color_mode(shapes.BigValueColorMode.VALUE)
        panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        if decimals is not None:
            panel.decimals(decimals)
        self._add(panel, unit, {self.title: query}, self.number_width, instant=True)

    def states(
        self,
        queries: Queries,
        shown: Mapping[int, tuple[str, str]],
        *,
        width: int = _WIDTH,
    ) -> None:
        """One bar over time for each series; `shown` has the text and the colour of each value."""
        panel = statetimeline.Panel().height(_HEIGHT).fill_opacity(80).line_width(0)
        panel.show_value(shapes.VisibilityMode.NEVER).row_height(0.8).merge_values(True)
        mapped = {
            str(value): model.ValueMappingResult(text=words, color=colour, index=index)
            for index, (value, (words, colour)) in enumerate(shown.items())
        }
        panel.mappings([model.ValueMap(options=mapped)])
        panel.color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        panel.thresholds(_thresholds(((None, GREY),)))
        self._add(panel, "none", queries, width)

    def heat(self, unit: str, query: str, *, width: int) -> None:
        """The buckets of a histogram over time. The query keeps the label `le`."""
        panel = heatmap.Panel().height(_HEIGHT).calculate(False)
        panel.y_axis(heatmap.YAxisConfig().unit(unit))
        colours = heatmap.HeatmapColorOptions().mode(heat_model.HeatmapColorMode.SCHEME)
        panel.color(colours.scheme("Oranges").steps(64))
        self._add(panel, unit, {"{{le}}": query}, width, PromQueryFormat.HEATMAP)

    def _add(
        self,
        panel: Any,  # the SDK's builders of panels have these methods in common, and no base
        unit: str,
        queries: Queries,
        width: int,
        form: PromQueryFormat = PromQueryFormat.TIME_SERIES,
        *,
        instant: bool = False,
    ) -> None:
        panel.title(self.title).description(self.text).unit(unit).span(width).datasource(DATASOURCE)
        for name, (legend, expression) in zip(ascii_uppercase, queries.items(), strict=False):
            query = prometheus.Dataquery().expr(expression).legend_format(legend)
            query.ref_id(name).format(form).datasource(DATASOURCE)
            panel.with_target(query.instant() if instant else query.range())
        self.board.with_panel(panel)


class _Annotation(model.AnnotationQuery):
    """Vertical marks from a query. The SDK's own class has no name for a mark."""

    def __init__(self, name: str, expression: str, mark: str, labels: str, colour: str) -> None:
        super().__init__(name=name, datasource=DATASOURCE, icon_color=colour, expr=expression)
        self.mark, self.labels = mark, labels

    def to_json(self) -> dict[str, object]:
        """With the field names that Grafana's Prometheus source reads."""
        own = {"titleFormat": self.mark, "tagKeys": self.labels, "useValueForTime": False}
        return {**super().to_json(), **own}


class _Marks(build.AnnotationQuery):
    """The builder of an annotation, as the dashboard's builder needs one."""

    def __init__(self, *annotation: str) -> None:
        super().__init__()
        self._internal = _Annotation(*annotation)


def _thresholds(steps: Steps) -> build.ThresholdsConfig:
    config = build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE)
    return config.steps([model.Threshold(*step) for step in steps])


def _json(what: Any, indent: int | None = None) -> str:
    return json.dumps(what, cls=JSONEncoder, indent=indent, sort_keys=True, ensure_ascii=False)
