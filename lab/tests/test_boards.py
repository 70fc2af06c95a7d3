"""The dashboards: up to date, of the shape that Grafana imports, and asking for what exists."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from lab.dev import rules as generate
from lab.monitoring.dashboards.files import FOLDER, pages
from lab.paths import PROJECT
from lab.slo.spec import load
from lab.substrates.local import programs
from lab.tests.grafana import GIVEN, substituted

PAGES = {path.stem: json.loads(text) for path, text in pages().items()}
NAMES = sorted(PAGES)
WIDTH = 24
SCHEMA_MIN = 36
"""Of Grafana 10.1, which the boards are made for; newer ones bring it up to date themselves."""
GONE_IN_4 = ("tcp_sockets", "paged_out", "file_descriptor_limit", "raft_")
"""RabbitMQ 3.10 has them; 4.x does not, or under another name."""
UNITS = {value for name, value in vars(units).items() if not name.startswith("_")}


def panels(name: str) -> list[dict[str, Any]]:
    return [each for each in PAGES[name]["panels"] if each["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    """Each query with the place where it stands."""
    for name in NAMES:
        for panel in panels(name):
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]
        for mark in PAGES[name]["annotations"]["list"]:
            yield f"{name}: mark {mark['name']}", mark["expr"]


def test_there_are_five_boards_found_by_stable_names() -> None:
    assert NAMES == ["chaos", "overview", "rabbitmq", "slo", "workers"]
    assert {each["uid"] for each in PAGES.values()} == {f"missing-table-{each}" for each in NAMES}
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_board_survives_grafanas_own_model(name: str) -> None:
    """What Grafana's schema does not know would be dropped on the way through it."""
    page = PAGES[name]
    read = json.loads(json.dumps(Dashboard.from_json(page), cls=JSONEncoder))
    for mark in page["annotations"]["list"]:  # the schema leaves these to each data source
        for key in ("titleFormat", "tagKeys", "useValueForTime"):
            del mark[key]
    assert read == page
    assert page["schemaVersion"] >= SCHEMA_MIN
    assert page.get("id") is None, "a board with an id would overwrite another one"


@pytest.mark.parametrize("name", NAMES)
def test_panels_lie_side_by_side_and_leave_no_hole(name: str) -> None:
    places = [each["gridPos"] for each in PAGES[name]["panels"]]
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, f"{one} and {other} overlap"
    for line in {each["y"] for each in places}:
        assert sum(each["w"] for each in places if each["y"] == line) == WIDTH


@pytest.mark.parametrize("name", NAMES)
def test_each_panel_says_what_a_good_and_a_bad_picture_is(name: str) -> None:
    for panel in panels(name):
        title = panel["title"]
        assert "Good:" in panel["description"], title
        assert "Bad:" in panel["description"], title
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, title
        assert panel["targets"], title
        assert all(each["legendFormat"] for each in panel["targets"]), title


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_unique_and_come_from_titles(name: str) -> None:
    """A link to a panel stays good when another one is put before it."""
    ids = [each["id"] for each in PAGES[name]["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(0 < each < 2**31 for each in ids)


@pytest.mark.parametrize("name", NAMES)
def test_a_board_asks_the_prometheus_that_is_chosen_on_it(name: str) -> None:
    page = PAGES[name]
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    assert page["templating"]["list"][0]["name"] == "datasource"
    asked = [target["datasource"] for panel in panels(name) for target in panel["targets"]]
    marks = [each["datasource"] for each in page["annotations"]["list"]]
    assert all(each == chosen for each in asked + marks)


@pytest.mark.parametrize("name", NAMES)
def test_boards_lead_to_each_other(name: str) -> None:
    (link,) = PAGES[name]["links"]
    assert link["type"] == "dashboards"
    assert link["keepTime"]
    assert all(set(link["tags"]) <= set(each["tags"]) for each in PAGES.values())


@pytest.mark.parametrize(
    ("place", "query"), [pytest.param(*each, id=each[0]) for each in queries()]
)
def test_ranges_follow_the_scrapes(place: str, query: str) -> None:
    """A fixed range holds no two samples where scrapes are rarer, and hides peaks where denser."""
    for name, value in re.findall(r"(rate|increase)\([^\[\]]*\[([^\]]+)\]", query):
        budget = value == "30d"  # the window of an objective is its own
        assert value in ("$__rate_interval", "$__range") or budget, f"{place}: {name}[{value}]"


def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [
        {"record": f"asked:query:{number}", "expr": substituted(query)}
        for number, (_, query) in enumerate(queries())
    ]
    assert len(rules) > 100
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": rules}]}))
    checked = subprocess.run(
        [programs.need("promtool"), "check", "rules", file],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_variable_is_given_a_value_where_there_is_no_grafana() -> None:
    for place, query in queries():
        assert "$" not in substituted(query).replace('"$1"', ""), place
    used = {name for name in GIVEN if any(name in query for _, query in queries())}
    assert used == set(GIVEN)


def test_boards_ask_only_for_metrics_that_are_documented_or_recorded() -> None:
    documented = (PROJECT / "docs/reference/metrics.md").read_text("utf-8")
    rules = [
        yaml.safe_load((generate.RULES / name).read_text("utf-8"))
        for name in ("recording.yaml", "slo.yaml")
    ]
    recorded = {
        rule.get("record") for each in rules for group in each["groups"] for rule in group["rules"]
    }
    of_the_lab = {"missing_table_lab_fault_active", "missing_table_lab_messages"}
    for place, query in queries():
        for name in re.findall(r"\b(?:missing_table|slo:|queue:)[a-z0-9_:]*[a-zA-Z0-9]", query):
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            known = name in recorded | of_the_lab or f"`{base}`" in documented
            assert known, f"{place}: {name}"


def test_boards_ask_for_nothing_that_rabbitmq_4_has_dropped() -> None:
    for place, query in queries():
        assert not [gone for gone in GONE_IN_4 if gone in query], place


def test_objectives_are_drawn_as_they_are_promised() -> None:
    def steps(name: str, title: str) -> list[float | None]:
        (panel,) = (each for each in panels(name) if each["title"] == title)
        config = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        return [each["value"] for each in config]

    goals = {each.name: each.goal for each in load()}
    latency, success = goals["latency-mean"].value, goals["success"].target
    assert (latency, success) == (0.5, 0.999), "the boards' texts name both"
    assert steps("overview", "Latency") == steps("chaos", "Latency") == [None, latency]
    assert steps("overview", "Success") == steps("chaos", "Success") == [None, success]
    assert steps("slo", "success: burn rate") == [None, 1, 3, 6, 14.4]


def test_a_number_is_of_now() -> None:
    """Of a series that has ended, the last value of the time shown would look like today's."""
    for name in NAMES:
        for panel in panels(name):
            for target in panel["targets"]:
                assert target.get("instant", False) == (panel["type"] == "stat"), panel["title"]
