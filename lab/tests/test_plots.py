"""Plots of recorded series: what is in them, told from their specification."""

from __future__ import annotations

import math

import pytest

from lab.clients.prometheus.results import Series
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


def _rows(spec: dict) -> list[list[dict]]:  # type: ignore[type-arg]
    """The data of every layer."""
    return [layer["data"]["values"] for layer in spec["layer"]]
