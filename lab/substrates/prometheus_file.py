"""prometheus.yml with targets in files, for substrates that start a Prometheus of their own.

Each job has one file of targets (`file_sd`), which Prometheus reads again when it changes. So
workers that start later, and the lab itself, can be added to a Prometheus that runs already.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LOOKS_EVERY = "5s"
"""A file that is read while it is half written is no JSON, and the news of its end can come before
that: without this, Prometheus would look again after five minutes."""


def placed(
    prometheus: Mapping[str, Any],
    *,
    targets_folder: str,
    rule_files: Sequence[str],
    alertmanager: str | None,
) -> dict[str, Any]:
    """The content of prometheus.yml: the plan's settings, and where everything is.

    Args:
        targets_folder: holds `<job>.json` for each job that has targets.
        alertmanager: `host:port`; None: no alerts are sent.
    """
    result = {
        **prometheus,
        "rule_files": list(rule_files),
        "scrape_configs": [
            {
                **job,
                "file_sd_configs": [
                    {
                        "files": [f"{targets_folder}/{job['job_name']}.json"],
                        "refresh_interval": LOOKS_EVERY,
                    }
                ],
            }
            for job in prometheus["scrape_configs"]
        ],
    }
    if alertmanager is not None:
        result["alerting"] = {
            "alertmanagers": [{"timeout": "5s", "static_configs": [{"targets": [alertmanager]}]}]
        }
    return result


def targets(addresses: Mapping[str, str]) -> list[dict[str, Any]]:
    """The content of a job's targets file.

    Args:
        addresses: `host:port` by the name that becomes the label `instance`.
    """
    return [
        {"targets": [address], "labels": {"instance": name}}
        for name, address in sorted(addresses.items())
    ]
