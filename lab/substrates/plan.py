"""What to start: roles, links, and the plan of a lab, as data that another process can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter


class Role(StrEnum):
    """A part of the running system. Each has one or more processes, counted from 0."""

    BROKER = "broker"
    RESULTS = "results"
    DATABASE = "database"
    API = "api"
    WORKER = "worker"
    SITE = "site"
    SCRAPER_EXPORTER = "scraper-exporter"
    EXPORTER = "exporter"
    PROMETHEUS = "prometheus"
    ALERTMANAGER = "alertmanager"
    FLOWER = "flower"
    GRAFANA = "grafana"


class Link(StrEnum):
    """A network connection, from the role that calls to the role that answers."""

    SCRAPER_BROKER = "scraper-broker"
    SCRAPER_API = "scraper-api"
    WORKER_BROKER = "worker-broker"
    WORKER_API = "worker-api"
    WORKER_RESULTS = "worker-results"
    API_DATABASE = "api-database"


@dataclass(frozen=True, slots=True, repr=False)
class Monitoring:
    """What watches the system, as data that does not depend on where anything runs.

    It may hold secrets (the webhook's address), so it does not show what it holds.

    Attributes:
        prometheus: what prometheus.yml says, without addresses: the substrate gives targets to
            each job of its `scrape_configs`.
        rules: the content of the rule files, by their names.
        alertmanager: what alertmanager.yml says.
    """

    prometheus: Mapping[str, Any]
    rules: Mapping[str, Any]
    alertmanager: Mapping[str, Any]


BROKERS = (1, 3)
"""How many nodes RabbitMQ may have: a cluster of two has no majority when one is lost."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start.

    Attributes:
        workers: worker processes, each with a pool of its own.
        concurrency: pool children of each worker.
        brokers: nodes of RabbitMQ: 1, or 3 that are a cluster.
        seed: of the league site's season.
        matches: of the league site's season.
        page_delay_ms: how long the league site lets each page wait.
        settings: more environment variables, by role; they win over the substrate's own.
        wrapper: by role, a module that starts in place of the role's own and is given its name and
            arguments (`python -m <wrapper> <module> <arguments…>`); for experiments that switch a
            guard off.
        relayed: the links that run through a relay, so that they can be broken. Others are direct:
            a relay takes part of the processor, and so of the throughput.
        monitoring: what Prometheus, Alertmanager and the exporters do; they do not run if None.
        flower: whether Flower runs, and the workers send the events that it shows.
        dashboards: what Grafana shows, by the names of their files, in its own JSON; it does not
            run if None, or where there is none.
    """

    seed: int
    matches: int
    workers: int = 2
    concurrency: int = 2
    brokers: int = 1
    page_delay_ms: int = 100
    settings: Mapping[Role, Mapping[str, str]] = field(default_factory=dict)
    wrapper: Mapping[Role, str] = field(default_factory=dict)
    relayed: frozenset[Link] = frozenset()
    monitoring: Monitoring | None = None
    flower: bool = False
    dashboards: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a cluster without a majority when one node is lost.

        Raises:
            ValueError: it has two nodes.
        """
        if self.brokers not in BROKERS:
            raise ValueError(f"{self.brokers} brokers: there can be 1, or 3 that are a cluster")


def as_json(plan: Plan) -> bytes:
    """A plan as JSON, with its secrets: for a private file or a pipe."""
    return TypeAdapter(Plan).dump_json(plan)


def from_json(content: bytes) -> Plan:
    """The plan that `as_json` wrote.

    Raises:
        ValueError: it is none.
    """
    return TypeAdapter(Plan).validate_json(content)
