"""The files of the Helm chart that are made from code, so that none of them is a copy by hand.

definitions*.json  the broker's topology and users, with a mark in place of each password
rules/, dashboards/, prometheus.json, alertmanager.json, flower_app.py  what watches the system
values.schema.json, README.md  from the chart's values.yaml and its comments
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.dev import chart_values, rules
from lab.monitoring import alertmanager, scrape
from lab.monitoring.dashboards import files as dashboards
from lab.paths import PROJECT
from system.contract import topology
from system.contract.definitions import definitions

CHART = PROJECT / "helm" / "messaging-platform"
FILES = CHART / "files"
FLOWER_APP = PROJECT / "lab" / "substrates" / "local" / "flower_app.py"
_NOT_THERE = ("lab",)
"""Jobs of the lab that a cluster does not have."""


def pages() -> Mapping[Path, str]:
    """Every file, and what it should hold."""
    values = (CHART / "values.yaml").read_text("utf-8")
    readme = (CHART / "README.md").read_text("utf-8")
    return {
        FILES / "definitions.json": _json(broker_definitions(events=False)),
        FILES / "definitions-events.json": _json(broker_definitions(events=True)),
        FILES / "prometheus.json": _json(prometheus()),
        FILES / "alertmanager.json": _json(alerting()),
        FILES / "flower_app.py": FLOWER_APP.read_text("utf-8"),
        **_copies({**_written(rules.RULES), **rules.pages()}, rules.RULES, FILES / "rules"),
        **_copies(dashboards.pages(), dashboards.FOLDER, FILES / "dashboards"),
        CHART / "values.schema.json": _json(chart_values.schema(values)),
        CHART / "README.md": chart_values.with_table(readme, values),
    }


def broker_definitions(*, events: bool) -> dict[str, Any]:
    """What the broker loads. In place of a password is a mark, `@broker-<user>@`.

    Args:
        events: whether workers send events, for Flower.
    """
    users = [
        topology.scraper(""),
        topology.worker("", events=events),
        topology.operator(""),
        topology.administrator(""),
        topology.earlier_sender(""),
        *([topology.monitor("")] if events else []),
    ]
    found = definitions(users, events=events)
    found["users"] = [
        {"name": user["name"], "password": f"@broker-{user['name']}@", "tags": user["tags"]}
        for user in found["users"]
    ]
    return found


def prometheus() -> dict[str, Any]:
    """The lab's jobs, without targets; how often they are read is the cluster's matter."""
    jobs = scrape.configuration()["scrape_configs"]
    return {"scrape_configs": [job for job in jobs if job["job_name"] not in _NOT_THERE]}


def alerting() -> dict[str, Any]:
    """What belongs together, and what explains what; when it is sent is the cluster's matter."""
    lab = alertmanager.configuration(None)
    return {"group_by": lab["route"]["group_by"], "inhibit_rules": lab["inhibit_rules"]}


def _written(folder: Path) -> dict[Path, str]:
    return {file: file.read_text("utf-8") for file in sorted(folder.glob("*.yaml"))}


def _copies(files: Mapping[Path, str], origin: Path, folder: Path) -> dict[Path, str]:
    return {folder / file.name: text for file, text in files.items() if file.parent == origin}


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
