"""Builds a dashboard that Grafana can import from rows of panels."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from lab.monitoring.dashboards.panels import DATASOURCE, Panel
from lab.monitoring.metrics import FAULTS, FIRING

TAG = "missing-table"
_IDS_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True)
class BoardRow:
    """Panels side by side below a title; each line of them is 24 wide."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard.

    Attributes:
        name: of its file, and the end of its uid, which never changes.
        summary: the question that it answers.
        variables: label names by which its panels can be narrowed, each with the metric that
            has their values.
    """

    name: str
    title: str
    summary: str
    rows: Sequence[BoardRow]
    variables: Sequence[tuple[str, str]] = ()

    @property
    def uid(self) -> str:
        """Stable, so that links and bookmarks stay valid."""
        return f"{TAG}-{self.name}"


class _Annotation(model.AnnotationQuery):
    """Vertical marks from a query. The SDK's own class has no name for a mark."""

    def __init__(self, name: str, expression: str, mark: str, labels: str, colour: str) -> None:
        super().__init__(name=name, datasource=DATASOURCE, icon_color=colour, expr=expression)
        self.mark, self.labels = mark, labels

    def to_json(self) -> dict[str, object]:
        """With the field names that Grafana's Prometheus source reads."""
        return {
            **super().to_json(),
            "titleFormat": self.mark,
            "tagKeys": self.labels,
            "useValueForTime": False,
        }


class _Marks(build.AnnotationQuery):
    """A builder around a finished annotation, as the dashboard's builder needs one."""

    def __init__(self, builder: model.AnnotationQuery) -> None:
        super().__init__()
        self._internal = builder


def as_json(board: Board) -> str:
    """The board's JSON, readable and stable: a small change in the code is a small change in it."""
    built = _dashboard(board).build()
    for each in built.panels or []:
        # From the title, not the place: a panel that is inserted keeps the links of others.
        each.id_val = zlib.crc32(f"{type(each).__name__} {each.title}".encode()) % _IDS_MAX
    text = json.dumps(built, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False)
    return text + "\n"


def _dashboard(board: Board) -> build.Dashboard:
    builder = build.Dashboard(board.title).uid(board.uid).description(board.summary)
    builder.tags([TAG]).timezone("browser").refresh("10s").time("now-1h", "now")
    builder.tooltip(model.DashboardCursorSync.CROSSHAIR).editable()
    builder.with_variable(
        build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    )
    for label, metric in board.variables:
        builder.with_variable(
            build.QueryVariable(label)
            .datasource(DATASOURCE)
            .query(f"label_values({metric}, {label})")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .include_all(True)
            .all_value(".*")
            .multi(True)
            .current(model.VariableOption(selected=True, text="All", value="$__all"))
        )
    builder.link(
        build.DashboardLink("Missing Table")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
    )
    builder.annotation(
        _Marks(_Annotation("Alerts", FIRING, "{{alertname}}", "severity,component,slo", "red"))
    )
    builder.annotation(
        _Marks(_Annotation("Faults", f"{FAULTS} > 0", "{{fault}}", "fault", "orange"))
    )
    for row in board.rows:
        builder.with_row(build.Row(row.title))
        for panel in row.panels:
            builder.with_panel(panel)
    return builder
