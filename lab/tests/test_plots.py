"""Plots of recorded series: what is in them, told from their specification."""

from __future__ import annotations

import math

import pytest
from rich.table import Table

from lab.clients.prometheus.results import Series
from lab.dev import drawn
from lab.report import plots
from lab.report.plots import FaultWindow

MEAN = Series({}, ((100.0, 0.04), (101.0, math.nan), (102.0, 0.6)))


def test_latency_is_drawn_in_milliseconds_against_its_goal() -> None:
    spec = plots.latency({"mean": MEAN}, 500).to_dict()
    rows = [row for data in _rows(spec) for row in data]
    assert {"line": "mean", "at": 0.0, "value": 40.0} in rows
    assert {"value": 500, "name": "500 ms"} in rows


def test_a_line_is_broken_where_a_value_is_not_finite_or_missing() -> None:
    line = Series({}, (*MEAN.points, (103.0, 0.1), (110.0, 0.1)))
    spec = plots.latency({"mean": line}, 500).to_dict()
    drawn = {row["at"]: row["value"] for data in _rows(spec) for row in data if "line" in row}
    assert drawn == {0.0: 40.0, 1.0: None, 2.0: 600.0, 3.0: 100.0, 4.0: None, 10.0: 100.0}


def test_a_fault_is_shaded_within_the_picture_and_one_outside_is_not() -> None:
    faults = [FaultWindow("broker-killed", 90.0, 101.0), FaultWindow("too-early", 10.0, 20.0)]
    spec = plots.depth({"matches.process": MEAN}, faults).to_dict()
    rows = [row for data in _rows(spec) for row in data if "fault" in row]
    assert rows == [{"fault": "broker-killed", "from": 0.0, "to": 1.0}] * 2


def test_success_is_drawn_in_percent() -> None:
    spec = plots.success({"took effect": Series({}, ((0.0, 0.5), (1.0, 1.0)))}, 0.999).to_dict()
    rows = [row for data in _rows(spec) for row in data]
    assert {"value": 99.9, "name": "99.9%"} in rows
    assert {"line": "took effect", "at": 0.0, "value": 50.0} in rows


def test_nothing_to_draw_is_an_error_that_names_the_plot() -> None:
    with pytest.raises(ValueError, match="messages ready"):
        plots.depth({"matches.process": Series({}, ())})


def test_a_line_that_never_leaves_zero_is_at_the_bottom() -> None:
    def scale(*values: float) -> object:
        line = Series({}, tuple(enumerate(values)))
        (layer,) = plots.depth({"matches.process": line}).to_dict()["layer"]
        return layer["encoding"]["y"]["scale"]

    assert scale(0.0, 0.0) == {"domain": [0, 1]}
    assert scale(0.0, 3.0) == {"zero": True}


def test_pictures_of_one_span_have_one_time_axis() -> None:
    """Though one line begins later than the other."""
    late = Series({}, ((104.0, 1.0), (105.0, 2.0)))
    fault = FaultWindow("api-paused", 101.0, 103.0)
    first = drawn.of(plots.latency({"mean": MEAN}, 500, [fault], (99.0, 109.0)))
    second = drawn.of(plots.depth({"matches.process": late}, [fault], (99.0, 109.0)))
    assert (first.end, first.broken) == (second.end, second.broken) == (10.0, [(2.0, 4.0)])
    assert first.begins("mean") == 1.0
    assert second.begins("matches.process") == 5.0


def test_what_is_drawn_can_be_asked_for() -> None:
    line = Series({}, ((0.0, 1.0), (1.0, 1.0), (2.0, 8.0), (6.0, 3.0), (7.0, 0.0)))
    seen = drawn.of(plots.depth({"queue": line}, [FaultWindow("x", 1.0, 3.0)], (0.0, 8.0)))
    assert (seen.highest("queue"), seen.highest("queue", 3), seen.highest("queue", 9)) == (8, 3, 0)
    assert (seen.changes("queue"), seen.falls("queue")) == (3, True)
    assert seen.gap_s("queue", 1.0) == 4.0
    assert (seen.gone_after_s("queue", 3.0, 3.0), seen.gone_after_s("queue", 8.0, 3.0)) == (
        3.0, math.inf,
    )  # fmt: skip
    assert drawn.of(plots.latency({"mean": MEAN}, 500)).goals == [500]
    assert drawn.of({"a": 1}) == {"a": 1}
    table = Table("objective", "value", "verdict")
    table.add_row("success", "100 %", "met")
    assert drawn.of(table) == {"success": "met"}


def _rows(spec: dict) -> list[list[dict]]:  # type: ignore[type-arg]
    """The data of every layer."""
    return [layer["data"]["values"] for layer in spec["layer"]]
