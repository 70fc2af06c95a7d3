"""From the topology to rules: an alert on each queue, binding and exchange that the broker lacks.

Pure. A queue without messages has a series too, so that of a queue that is gone is absent; bindings
are counted by exchange, so of a binding that is gone only the exchange is known. Policies are in no
metric of the broker: only `python -m system.contract check` sees one that is gone.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from lab.monitoring.scrape import RABBITMQ_DETAILED
from system.contract.definitions import definitions
from system.contract.topology import VHOST

ALERT = "TopologyIncomplete"

# An absent broker, or one whose metrics are not scraped, lacks nothing: BrokerDown, ScrapeMissing.
_WHILE_KNOWN = f'and on () up{{job="{RABBITMQ_DETAILED}"}} == 1'


def rules() -> dict[str, Any]:
    """The content of Prometheus' rules file for the topology: one rule for each thing in it."""
    each = [
        *(of_queue(name) for name in queues()),
        *(of_exchange(name, count) for name, count in bindings().items()),
    ]
    return {"groups": [{"name": "topology", "rules": each}]}


def queues() -> list[str]:
    """The names of the queues."""
    return [queue["name"] for queue in definitions([])["queues"]]


def bindings() -> dict[str, int]:
    """How many bindings each exchange has."""
    defined = definitions([])
    counted = Counter(binding["source"] for binding in defined["bindings"])
    return {name: counted[name] for name in (each["name"] for each in defined["exchanges"])}


def of_queue(name: str) -> dict[str, Any]:
    """The rule on a queue."""
    series = f'rabbitmq_detailed_queue_consumers{{vhost="{VHOST}", queue="{name}"}}'
    return _rule(
        {"queue": name},
        f"absent({series})\n{_WHILE_KNOWN}",
        f"The queue {name} is gone",
        "The broker has no such queue. What is meant for it is returned or lost, or waits where it"
        " was.",
    )


def of_exchange(name: str, bindings: int) -> dict[str, Any]:
    """The rule on an exchange, which should have so many bindings."""
    series = f'rabbitmq_cluster_exchange_bindings{{vhost="{VHOST}", exchange="{name}"}}'
    return _rule(
        {"exchange": name},
        "(\n"
        f"  max by (vhost, exchange) ({series}) < {bindings}\n"
        f"  or absent({series})\n"
        ")\n"
        f"{_WHILE_KNOWN}",
        f"The exchange {name} is gone, or a binding of it",
        f"It should have {bindings} bindings at least. Messages that need one that is gone reach no"
        " queue.",
    )


def _rule(about: dict[str, str], expression: str, summary: str, description: str) -> dict[str, Any]:
    return {
        "alert": ALERT,
        "expr": expression,
        "for": "2m",
        "labels": {"severity": "page", "component": "broker", **about},
        "annotations": {
            "summary": summary,
            "description": description,
            "runbook_url": f"docs/runbooks/{ALERT}.md",
        },
    }
