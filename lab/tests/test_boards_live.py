"""Every panel shows something: each query of each board, asked of a lab after load and a fault."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from lab.checker.cross_check import wait_until_seen
from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData, Series
from lab.experiment.plugin import staged
from lab.monitoring.dashboards.files import FOLDER
from lab.monitoring.metrics import RUNTIME
from lab.tests.grafana import substituted
from lab.wait import eventually

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

FAULT = "worker-paused"
PAGES = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))}
PANELS = [
    (f"{name}: {panel['title']}", panel)
    for name, page in PAGES.items()
    for panel in page["panels"]
    if panel["type"] != "row"
]


@dataclass
class Look:
    """A Prometheus that has seen something, from when to when."""

    prometheus: Prometheus
    begin: float
    end: float

    def values(self, query: str) -> list[float]:
        """Every finite value of a query, over the whole time, a second apart."""
        return [
            value for each in self.series(query) for _, value in each.points if math.isfinite(value)
        ]

    def series(self, query: str) -> list[Series]:
        """What a query gives over the whole time, a second apart."""
        return self.prometheus.range(substituted(query), self.begin, self.end, 1)


def seen(prometheus: Prometheus, condition: str) -> None:
    """Wait until Prometheus has seen this."""
    eventually(
        f"Prometheus to see {condition}",
        lambda: bool(prometheus.vector(condition)),
        within_s=60,
        tolerate=(NoData,),
        every_s=0.2,
    )


@pytest.fixture(scope="module")
def look(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Look]:
    """A small lab that was watched while it worked, was broken, and came back."""
    with staged(request, tmp_path_factory, {"monitoring": True}) as lab:
        assert lab.endpoints.prometheus_url is not None
        begin = time.time()
        with Prometheus(lab.endpoints.prometheus_url) as prometheus:
            # A counter's first scrape must come before it counts, the lab's own among them.
            seen(prometheus, "max(missing_table_lab_fault_active) == 0")
            wait_until_seen(prometheus)
            with lab.load("steady"):
                lab.scrape(lab.season.moments(1)[0], 0)
                # Paused, the worker is not scraped, and what is left for it afterwards may be done
                # between two scrapes: its rates must have been seen before.
                seen(prometheus, f"sum(rate({RUNTIME}_count[5s])) > 0")
                with lab.fault(FAULT):
                    seen(prometheus, "max(missing_table_lab_fault_active) == 1")
                    seen(prometheus, "sum(queue:messages_ready:sum) > 50")
            lab.settle()
            wait_until_seen(prometheus)
            wait_until_seen(prometheus)  # the rules have looked at what was seen
            yield Look(prometheus, begin, time.time())


@pytest.mark.parametrize("panel", [pytest.param(each, id=place) for place, each in PANELS])
def test_a_panel_shows_something(look: Look, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        assert look.values(target["expr"]), f"nothing to show for {target['expr']}"
        for label in re.findall(r"{{(.+?)}}", target["legendFormat"]):
            named = [each.labels.get(label) for each in look.series(target["expr"])]
            assert all(named), f"no series of {target['expr']} may lack the label {label}: {named}"


def test_the_fault_is_marked_on_every_board(look: Look) -> None:
    for page in PAGES.values():
        (faults,) = (each for each in page["annotations"]["list"] if each["name"] == "Faults")
        assert [each.labels["fault"] for each in look.series(faults["expr"])] == [FAULT]


def test_every_variable_offers_values(look: Look) -> None:
    variables = [each for page in PAGES.values() for each in page["templating"]["list"]]
    asked = [each["query"] for each in variables if each["type"] == "query"]
    assert asked
    for query in asked:
        metric, label = query.removeprefix("label_values(").removesuffix(")").split(", ")
        assert look.prometheus.vector(f'{metric}{{{label}!=""}}'), query


def test_what_is_shown_is_what_happened(look: Look) -> None:
    """The pause is on the chaos board, and so are the messages that it held up."""
    shown = {place: each["targets"] for place, each in PANELS}
    assert max(look.values(shown["chaos: Faults"][0]["expr"])) == 1
    assert max(look.values(shown["chaos: Queue depth"][0]["expr"])) > 10
    assert max(look.values(shown["chaos: Latency"][1]["expr"])) > 0.5
    assert max(look.values(shown["overview: Took effect"][0]["expr"])) > 1
