"""The monitoring of a lab, as data for a substrate: scraping, rules, alerts."""

from __future__ import annotations

import json
from typing import Any

import yaml

from lab.monitoring import alertmanager, scrape
from lab.monitoring.rescale import scaled
from lab.monitoring.scrape import RemoteWrite
from lab.paths import PROJECT
from lab.substrates.plan import Monitoring

DASHBOARDS = PROJECT / "lab" / "monitoring" / "dashboards"
RULES = PROJECT / "lab" / "monitoring" / "rules"
TIME_SCALE = 60.0
"""The factor by which the rules' durations are shorter than in production: an hour is a minute."""


def dashboards() -> dict[str, Any]:
    """What Grafana shows, by the names of its files."""
    return {
        path.name: json.loads(path.read_text("utf-8")) for path in sorted(DASHBOARDS.glob("*.json"))
    }


def monitoring(
    *,
    time_scale: float = TIME_SCALE,
    webhook_url: str | None = None,
    remote_write: RemoteWrite | None = None,
) -> Monitoring:
    """The monitoring of a lab.

    Args:
        time_scale: divides every duration of the rules; see `lab.monitoring.rescale`.
        webhook_url: where Alertmanager sends alerts; None for nowhere.
        remote_write: where Prometheus sends its series; None for nowhere.
    """
    return Monitoring(
        prometheus=scrape.configuration(remote_write),
        rules={
            source.name: scaled(yaml.safe_load(source.read_text("utf-8")), time_scale)
            for source in sorted(RULES.glob("*.yaml"))
        },
        alertmanager=alertmanager.configuration(webhook_url),
    )
