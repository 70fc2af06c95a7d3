"""Puts rows of panels together to a dashboard that Grafana can import."""

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
class Row:
    """Panels side by side below a headline; each line of them is 24 wide."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard.

    Attributes:
        name: of its file, and the end of its uid, by which it is found for good.
        summary: whom it answers which question.
        variables: label names by which its panels can be narrowed, each with the metric that
            has their values.
    """

    name: str
    title: str
    summary: str
    rows: Sequence[Row]
    variables: Sequence[tuple[str, str]] = ()

    @property
    def uid(self) -> str:
        """Stable, so that links and bookmarks last."""
        return f"{TAG}-{self.name}"


class _Annotation(model.AnnotationQuery):
    """Vertical marks made by Prometheus. The SDK's own knows no name for a mark."""

    def __init__(self, name: str, expression: str, mark: str, labels: str, colour: str) -> None:
        super().__init__(name=name, datasource=DATASOURCE, icon_color=colour, expr=expression)
        self.mark, self.labels = mark, labels

    def to_json(self) -> dict[str, object]:
        """With the names that Grafana's Prometheus reads."""
        return {
            **super().to_json(),
            "titleFormat": self.mark,
            "tagKeys": self.labels,
            "useValueForTime": False,
        }


class _Marks(build.AnnotationQuery):
    """A builder of annotations that are made already, as the dashboard's builder wants it."""

    def __init__(self, made: model.AnnotationQuery) -> None:
        super().__init__()
        self._internal = made


def page(board: Board) -> str:
    """The board's JSON, readable and stable: a change in the code is a small change here."""
    built = _dashboard(board).build()
    for each in built.panels or []:
        # From the title, not the place: a panel that is put before others leaves their links alone.
        each.id_val = zlib.crc32(f"{type(each).__name__} {each.title}".encode()) % _IDS_MAX
    text = json.dumps(built, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False)
    return text + "\n"


def _dashboard(board: Board) -> build.Dashboard:
    made = build.Dashboard(board.title).uid(board.uid).description(board.summary)
    made.tags([TAG]).timezone("browser").refresh("10s").time("now-1h", "now")
    made.tooltip(model.DashboardCursorSync.CROSSHAIR).editable()
    made.with_variable(
        build.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    )
    for label, metric in board.variables:
        made.with_variable(
            build.QueryVariable(label)
            .datasource(DATASOURCE)
            .query(f"label_values({metric}, {label})")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .include_all(True)
            .all_value(".*")
            .multi(True)
            .current(model.VariableOption(selected=True, text="All", value="$__all"))
        )
    made.link(
        build.DashboardLink("Missing Table")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .include_vars(True)
        .keep_time(True)
    )
    made.annotation(
        _Marks(_Annotation("Alerts", FIRING, "{{alertname}}", "severity,component,slo", "red"))
    )
    made.annotation(_Marks(_Annotation("Faults", f"{FAULTS} > 0", "{{fault}}", "fault", "orange")))
    for row in board.rows:
        made.with_row(build.Row(row.title))
        for panel in row.panels:
            made.with_panel(panel)
    return made
