"""The rules of Prometheus: each alert fires when it should and only then, by promtool's own tests.

The tests themselves are tested: with a threshold, an operator or a duration of an alert changed,
they must fail. A file of tests is named after its alert.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.clients.prometheus.promql import duration, seconds, selectors, tokens
from lab.dev import rules as generate
from lab.monitoring.rescale import scaled
from lab.paths import PROJECT
from lab.substrates.local import programs
from system.contract.topology import EXCHANGE, PROCESS_QUEUE, QUEUES, WORK_QUEUES

RULES = generate.RULES
TESTS = generate.TESTS
FILES = sorted(TESTS.glob("*.yaml"))
SOURCES = ("recording.yaml", "alerts.yaml", "topology.yaml", "slo.yaml")

Rule = dict[str, Any]


def loaded(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text("utf-8"), yaml.CSafeLoader)
    return content


@cache
def cases_of(name: str) -> dict[str, Any]:
    """The file with the tests of an alert, every value as text: `0x30` is thirty zeros there."""
    content: dict[str, Any] = yaml.load(
        (TESTS / f"{name}.yaml").read_text("utf-8"),
        yaml.CBaseLoader,  # noqa: S506 - it makes nothing but text
    )
    return content


GROUPS: list[dict[str, Any]] = [g for name in SOURCES for g in loaded(RULES / name)["groups"]]
ALERTS: list[Rule] = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
NAMES = sorted({rule["alert"] for rule in ALERTS})


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs.need("promtool"), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


@pytest.mark.parametrize("name", SOURCES)
def test_the_rules_are_valid_for_production_and_for_the_lab(name: str, tmp_path: Path) -> None:
    quick = tmp_path / name
    quick.write_text(json.dumps(scaled(loaded(RULES / name), 60)), "utf-8")

    for path in (RULES / name, quick):
        checked = promtool("check", "rules", "--lint-fatal", path)
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_rules_do_what_their_tests_say(path: Path, tmp_path: Path) -> None:
    """By the rules that a file speaks of, and what they rest on: the others only take their time.

    All of them at once, as they are written, is `promtool test rules lab/monitoring/tests/*.yaml`.
    """
    said = path.read_text("utf-8")
    about = tmp_path / "rules.yaml"
    about.write_text(json.dumps({"groups": spoken_of(said)}), "utf-8")  # which is YAML, too
    alone, replaced = re.subn(
        r"^rule_files:(?: \[.*\]\n|\n(?:- .*\n)+)",
        f"rule_files: [{about}]\n",
        said,
        flags=re.MULTILINE,
    )
    assert replaced == 1
    (tmp_path / path.name).write_text(alone, "utf-8")
    tested = promtool("test", "rules", tmp_path / path.name)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def spoken_of(text: str) -> list[dict[str, Any]]:
    """Every group, with those rules that a text names, and the series that these rest on."""
    named = set(re.findall(r"[\w:]+", text))
    wanted = named | {
        each.text.partition("{")[0]
        for group in GROUPS
        for rule in group["rules"]
        if rule.get("alert") in named
        for each in selectors(rule["expr"])
    }
    return [
        {**group, "rules": [r for r in group["rules"] if r.get("alert", r.get("record")) in wanted]}
        for group in GROUPS
    ]


@pytest.mark.parametrize("name", NAMES)
def test_every_alert_has_cases_that_fire_and_cases_that_do_not(name: str) -> None:
    fires = [
        bool(check["exp_alerts"])
        for test in cases_of(name)["tests"]
        for check in test["alert_rule_test"]
        if check["alertname"] == name
    ]
    assert any(fires)
    # The watchdog has no such case by design: it always fires.
    assert not all(fires) or name == "Watchdog"


def test_every_alert_says_who_is_told_and_where_to_read_on() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("page", "ticket", "info")
        assert rule["labels"]["component"]
        assert rule["labels"].get("consequence_of", "BrokerDown") in NAMES
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        assert rule["annotations"]["runbook_url"] == f"docs/runbooks/{rule['alert']}.md"


def test_every_recorded_series_is_tested() -> None:
    """By name; of those recorded for several windows, one window each, and all that alerts use."""
    tested = "".join(path.read_text("utf-8") for path in FILES)
    for group in GROUPS:
        for rule in group["rules"]:
            name = re.sub(r"(_rate|increase)\d+[mhd]$", r"\1", rule.get("record", ""))
            assert name in tested, name


def test_the_series_of_the_rules_are_those_that_the_system_serves() -> None:
    """Our own by the page that is made from the code; those of others are tried by a lab."""
    page = (PROJECT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    served = set(re.findall(r"`(missing_table_\w+)`", page))
    recorded = {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
    for group in GROUPS:
        for rule in group["rules"]:
            for each in selectors(rule["expr"]):
                name = re.sub(r"_(bucket|sum|count)$", "", each.text.partition("{")[0])
                ours = name.startswith("missing_table_")
                assert name in served if ours else True, name
                assert ours or name in recorded or re.match(r"rabbitmq_|up$|$", name), name


def test_the_values_of_labels_that_rules_ask_for_are_those_that_the_system_serves() -> None:
    """A result or a reason that is renamed would else leave an alert that never fires."""
    page = (PROJECT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    known: dict[tuple[str, str], set[str]] = {}
    for name, labels in re.findall(
        r"^\| `(missing_table_\w+)` \| \w+ \| (.+?) \|", page, re.MULTILINE
    ):
        for label, values in re.findall(r"(\w+): ((?:`[^`]+`(?:, )?)+)", labels):
            known[name, label] = set(re.findall(r"`([^`]+)`", values))
    asked = {
        (each.text.partition("{")[0], label, value)
        for group in GROUPS
        for rule in group["rules"]
        for each in selectors(rule["expr"])
        for label, values in re.findall(r'(\w+)=~?"([^"]+)"', each.text)
        for value in values.split("|")
        if (each.text.partition("{")[0], label) in known
    }
    assert ("missing_table_scraper_runs_total", "result", "spooled") in asked
    assert [each for each in sorted(asked) if each[2] not in known[each[:2]]] == []


def test_every_queue_needs_a_consumer_but_those_that_have_none_by_design() -> None:
    """A queue that is added to the topology is either one of the workers', or left out by name."""
    (rule,) = (each for each in ALERTS if each["alert"] == "QueueWithoutConsumer")
    (without,) = re.findall(r'queue!~"(.+?)"', rule["expr"])
    for queue in QUEUES:
        assert bool(re.fullmatch(without, queue.name)) is (queue.name not in WORK_QUEUES)


def test_times_are_ranges_and_no_numbers() -> None:
    """Else the lab could not make them quick: it divides durations, and leaves numbers alone."""
    for rule in ALERTS:
        row = [each for each in tokens(rule["expr"]) if each.kind != "space"]
        if any(each.text == "time" for each in row):
            assert "interval_seconds" in rule["expr"], rule["alert"]


# What is changed in an expression, one at a time.
SWAPS = {"==": "!=", ">": "<", ">=": "<", "and": "or", "or": "and", "unless": "and"}


def mutants(rule: Rule) -> Iterator[tuple[str, Rule]]:
    """The rule with one thing changed; labels in braces and what people read are left alone."""
    row = tokens(rule["expr"])
    inside = 0
    for at, each in enumerate(row):
        inside += {"{": 1, "}": -1}.get(each.text, 0)
        # The slow burn is made by the same lines as the fast one, and costs a second to test.
        swaps = {} if rule["alert"] == "ErrorBudgetBurnSlow" else SWAPS
        changes = [swaps[each.text]] if each.text in swaps else []
        if each.kind == "number":
            # The budget appears beside its rate: to change one of two factors is enough.
            number = float(each.text)
            budget = "".join(part.text for part in row[max(0, at - 2) : at]) == "* "
            changes = [] if budget else [f"{2 * number:g}", f"{number / 2:g}"] if number else ["1"]
        for change in changes if not inside else []:
            expression = "".join(
                change if place == at else part.text for place, part in enumerate(row)
            )
            yield f"{each.text} → {change} at {at}", {**rule, "expr": expression}
    for key in ("for", "keep_firing_for"):
        if key in rule:
            yield f"no {key}", {name: value for name, value in rule.items() if name != key}
            longer = duration(2 * seconds(rule[key]))
            yield f"{key} {longer}", {**rule, key: longer}


def with_what_it_needs(rule: Rule, instead: Rule) -> dict[str, Any]:
    """A small rules file: the alerts of this name, one replaced, and the series they rest on."""

    def belongs(each: Rule) -> bool:
        slo = rule["labels"].get("slo")
        return bool(each.get("alert") == rule["alert"] and each["labels"].get("slo") == slo)

    rests_on = {
        (selector.text.partition("{")[0], alert["labels"].get("slo"))
        for alert in filter(belongs, ALERTS)
        for selector in selectors(alert["expr"])
    }
    groups = []
    for group in GROUPS:
        kept = [
            instead if each is rule else each
            for each in group["rules"]
            if belongs(each) or (each.get("record"), each.get("labels", {}).get("slo")) in rests_on
        ]
        groups.append({**group, "rules": kept})
    return {"groups": [group for group in groups if group["rules"]]}


def outcome(rule: Rule, instead: Rule, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the tests of an alert with the rule replaced, the quick ones first, until one fails."""
    rules = with_what_it_needs(rule, instead)
    (folder / "rules.yaml").write_text(json.dumps(rules), "utf-8")  # which is YAML, too
    cases = {**cases_of(rule["alert"]), "rule_files": ["rules.yaml"]}
    cases["group_eval_order"] = [group["name"] for group in rules["groups"]]
    for test in sorted(cases["tests"], key=length_s):
        (folder / "tests.yaml").write_text(json.dumps({**cases, "tests": [test]}), "utf-8")
        done = promtool("test", "rules", folder / "tests.yaml")
        if done.returncode != 0:
            break
    return done


def length_s(test: dict[str, Any]) -> float:
    """Until when a test has to be calculated, in seconds."""
    checks = [*test.get("alert_rule_test", ()), *test.get("promql_expr_test", ())]
    return max(seconds(each["eval_time"]) for each in checks)


# The alerts on other objectives, queues and exchanges are made by the same code; the watchdog has
# nothing to change.
TO_CHANGE = [
    rule
    for rule in ALERTS
    if rule["alert"] != "Watchdog"
    and rule["labels"].get("slo") != "latency-p99"
    and rule["labels"].get("queue", PROCESS_QUEUE) == PROCESS_QUEUE
    and rule["labels"].get("exchange", EXCHANGE) == EXCHANGE
]


@pytest.mark.controls
@pytest.mark.timeout(300)  # dozens of calls of promtool, on a machine that may be busy
@pytest.mark.parametrize(
    "rule", TO_CHANGE, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}"
)
def test_the_tests_fail_when_the_rule_is_changed(rule: Rule, tmp_path: Path) -> None:
    as_it_is = outcome(rule, rule, tmp_path)
    assert as_it_is.returncode == 0, as_it_is.stdout + as_it_is.stderr

    survived = []
    count = 0
    for what, mutant in mutants(rule):
        count += 1
        done = outcome(rule, mutant, tmp_path)
        said = done.stdout + done.stderr
        assert "parse error" not in said, f"{what}: {said}"
        if done.returncode == 0:
            survived.append(what)
    assert count >= 2
    assert not survived
