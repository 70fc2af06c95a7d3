"""Alertmanager's configuration, as data: which alerts are sent where, and when.

In the lab it sends quickly, one message for each alert and instance, to one webhook. An alert that
is only the consequence of another one (label `consequence_of`) is not sent while that one fires.
"""

from __future__ import annotations

from typing import Any

CAUSES = ("BrokerDown",)
"""Alerts that explain others; those name them in `consequence_of`."""


def configuration(webhook_url: str | None) -> dict[str, Any]:
    """The content of alertmanager.yml.

    Args:
        webhook_url: gets every alert, firing and resolved; with None, alerts are only on
            Alertmanager's own page.
    """
    receiver: dict[str, Any] = {"name": "lab"}
    if webhook_url is not None:
        receiver["webhook_configs"] = [
            {"url": webhook_url, "send_resolved": True, "max_alerts": 100}
        ]
    return {
        "global": {"resolve_timeout": "10s"},
        "route": {
            "receiver": "lab",
            "group_by": ["alertname", "severity", "instance", "slo", "queue", "reason"],
            "group_wait": "1s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [receiver],
        "inhibit_rules": [
            {
                "source_matchers": [f'alertname="{cause}"'],
                "target_matchers": [f'consequence_of="{cause}"'],
            }
            for cause in CAUSES
        ],
    }
