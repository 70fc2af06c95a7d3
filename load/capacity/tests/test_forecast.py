"""What a feed needs follows from what a message costs; predictions that are wrong are called so."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lab.errors import CannotRun
from load.capacity import forecast, kept, model, page, plots
from load.capacity.forecast import FEEDS, TODAY, Feed
from load.capacity.measure import Measured, Point
from load.capacity.model import Prediction

CPU_US = {"worker": 300.0, "worker child": 100.0, "api": 400.0, "database": 300.0, "broker": 100.0}


def measured(unseen_per_s: float = 1300.0) -> Measured:
    points = [Point(n, 4000, per_s, CPU_US) for n, per_s in ((1, 800.0), (2, 1200.0), (4, 1400.0))]
    return Measured(
        "api",
        2,
        points,
        Point(3, 4000, unseen_per_s, CPU_US),
        Point(2, 12_000, 1200.0, CPU_US),
        alone_ms=20.0,
        busy_per_s=600.0,
        busy_ms=25.0,
        light_per_s=300.0,
        light_ms=21.0,
    )


def test_a_part_is_needed_as_often_as_its_share_of_the_time_says() -> None:
    found = forecast.forecast(Feed("much", 5000, 1, 1), CPU_US, takes_per_s=10_000)
    needs = {need.part.role: need for need in found.needs}
    assert needs["api"].cores == pytest.approx(2.0)
    assert needs["api"].instances == 3  # two would be busy all the time
    assert needs["database"].instances == 1  # uses as many processors as there are
    assert found.cores == pytest.approx(6.0)
    assert found.first is not None
    assert found.first.role == "api"


def test_today_needs_one_of_each() -> None:
    found = forecast.forecast(TODAY, CPU_US, takes_per_s=1200)
    assert found.first is None
    assert found.cores < 0.001
    assert found.burst_s < 1


def test_a_feed_that_is_more_than_is_taken_never_drains() -> None:
    assert math.isinf(forecast.forecast(FEEDS[-1], CPU_US, takes_per_s=1200).backlog_s)


def test_what_costs_most_is_the_first_bound() -> None:
    assert forecast.gives_first(CPU_US, cores=2) == ("the 2 processors of the machine", 2e6 / 1200)
    what, per_s = forecast.gives_first(CPU_US, cores=64)
    assert "'api'" in what
    assert per_s == pytest.approx(2500)


def test_predictions_are_about_runs_that_the_fit_has_not_seen() -> None:
    good = model.predictions(measured())
    assert all(each.holds for each in good), good
    wrong = model.predictions(measured(unseen_per_s=700.0))
    assert [each.holds for each in wrong] == [False, True, True]


def test_a_bound_may_be_undercut_and_an_estimate_may_not() -> None:
    assert Prediction("a", "ms", predicted=100, measured=10, bound=True).holds
    assert not Prediction("a", "ms", predicted=100, measured=10).holds
    assert not Prediction("a", "ms", predicted=100, measured=130, bound=True).holds
    assert not Prediction("a", "ms", predicted=math.inf, measured=10, bound=True).holds


def test_the_page_says_what_was_measured_what_is_wrong_and_what_a_national_feed_needs() -> None:
    text = "\n".join(page.lines(measured(unseen_per_s=700.0), target_per_s=1000))
    assert "| 2 | 1,200 |" in text
    assert "wrong: more than 25%" in text
    assert "For 1,000/s: 2 workers." in text
    assert "for ever" in text
    assert "partitioned" in text


def test_figures_that_are_kept_are_read_again(tmp_path: Path) -> None:
    assert kept.latest(tmp_path) is None
    for folder in ("20260101T000000", "20260102T000000"):
        (tmp_path / folder).mkdir()
        path = kept.write(measured(), tmp_path / folder)
    assert kept.read(path) == measured()
    assert kept.latest(tmp_path) == path
    with pytest.raises(CannotRun, match="no figures of a capacity"):
        kept.read(tmp_path / "nothing.json")


def test_the_plots_show_the_point_that_the_law_has_not_seen() -> None:
    drawn = plots.throughput(measured()).to_dict()
    values = [row for layer in drawn["layer"] for row in layer["data"]["values"]]
    assert [row["workers"] for row in values if "not seen" in row.get("run", "")] == [3]
    assert plots.latency(measured()).to_dict()["layer"]
