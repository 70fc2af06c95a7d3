"""Each alert has a runbook that is complete, and whose commands and queries exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lab.clients.prometheus.promql import selectors
from lab.dev.rules import RULES
from lab.paths import PROJECT
from lab.substrates.local import programs
from lab.substrates.local.tools import TOOLS

PAGES = PROJECT / "docs" / "runbooks"
HEADINGS = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]
ALERTS: dict[str, set[str]] = {}
for _file in ("alerts.yaml", "topology.yaml", "slo.yaml"):
    for _group in yaml.safe_load((RULES / _file).read_text("utf-8"))["groups"]:
        for _rule in _group["rules"]:
            if "alert" in _rule:
                ALERTS.setdefault(_rule["alert"], set()).add(_rule["labels"]["severity"])

every_page = pytest.mark.parametrize("alert", sorted(ALERTS))


def page(alert: str) -> str:
    return (PAGES / f"{alert}.md").read_text("utf-8")


def queries(text: str) -> list[str]:
    return re.findall(r"```promql\n(.*?)```", text, re.DOTALL)


def test_every_page_is_that_of_an_alert_and_stands_in_the_index() -> None:
    names = {path.stem for path in PAGES.glob("*.md")} - {"README"}
    assert names == set(ALERTS)
    rows = re.findall(r"\| \[(\w+)\]\((\w+)\.md\) \| ([a-z, ]+) \|", page("README"))
    assert {name: set(severity.split(", ")) for name, _, severity in rows} == ALERTS
    assert all(name == link for name, link, _ in rows)


@every_page
def test_a_page_says_what_it_means_does_and_asks_for(alert: str) -> None:
    text = page(alert)
    assert text.startswith(f"# {alert}\n")
    assert re.findall(r"^## .*", text, re.MULTILINE) == HEADINGS
    for part in text.split("\n## ")[1:]:
        assert len(part.split("\n", 1)[1].strip()) > 40, part
    for severity in ALERTS[alert]:
        assert severity in text.split("## Impact")[0]
    for other in re.findall(r"\b[A-Z][a-z]+(?:[A-Z][a-z]+)+\b", text):
        known = {"RabbitMQ", "CronJob", "LimitNOFILE"}
        assert other in ALERTS or other in known, f"{alert} sends to {other}, which is no alert"


def test_the_queries_are_promql_about_series_that_exist(tmp_path: Path) -> None:
    found = [query.strip() for alert in ALERTS for query in queries(page(alert))]
    assert len(found) > len(ALERTS)
    rules = [{"record": f"query{number}", "expr": each} for number, each in enumerate(found)]
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "pages", "rules": rules}]}), "utf-8")
    checked = subprocess.run(
        [programs.need("promtool"), "check", "rules", str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    reference = (PROJECT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    served = set(re.findall(r"`(missing_table_\w+)`", reference))
    recorded = set(re.findall(r"record: (\S+)", "".join(p.read_text() for p in RULES.iterdir())))
    for query in found:
        for each in selectors(query):
            name = each.text.partition("{")[0]
            ours = name in recorded or re.sub(r"_(bucket|sum|count)$", "", name) in served
            assert ours or re.match(r"rabbitmq_|up$|ALERTS$|prometheus_", name), name


def test_the_commands_exist() -> None:
    text = "".join(page(alert) for alert in ALERTS)
    for tool in re.findall(r"lab ctl ([\w-]+)", text):
        assert tool in TOOLS
    wanted = set(re.findall(r"python -m (system[\w.]+) ([a-z]+)", text))
    assert wanted
    for module in {module for module, _ in wanted}:
        shown = subprocess.run(
            [sys.executable, "-m", module, "--help"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
            cwd=PROJECT,
        ).stdout
        for command in {command for name, command in wanted if name == module}:
            assert re.search(rf"(?m)^  {command} ", shown), f"{module} has no {command}"
    ours = subprocess.run(
        [sys.executable, "-m", "lab", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        cwd=PROJECT,
    ).stdout
    for command in set(re.findall(r"(?:`|\n)lab ([a-z]+)", text)):
        assert re.search(rf"(?m)^  {command} ", ours), f"there is no lab {command}"
