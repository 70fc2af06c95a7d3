"""Where the system runs: three verbs and the endpoints. What it can do beyond is an ability.

A substrate starts the whole system and ends it. No path of this machine is part of this protocol,
so that containers and clusters can implement it too; see `abilities` for what is optional.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from lab.clients.management import AGE_S, Management
from lab.substrates.plan import Plan, Role


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where everything answers. The URLs hold passwords: for programs, not for logs.

    Attributes:
        api_url: `http://host:port` of the backend. Direct: no fault of a link breaks it.
        api_token: the bearer token that writing needs.
        broker_urls: AMQP URLs, by user: `scraper`, `earlier-sender`, `worker`, `operator`,
            `admin`. The scraper's is the only one that a fault of the link `scraper-broker` breaks;
            the others are direct. Of a cluster, the URLs of its nodes with `;` between them.
        management_url: `http://host:port` of RabbitMQ's management API; log in as a broker user.
            Of a cluster, as above.
        metrics_url: `http://host:port/metrics` of the (first) broker, for Prometheus.
        results_url: `redis://…`.
        database_url: `postgresql://…`, as the owner of the system's tables.
        site_url: `http://host:port` of the league site.
        scraper_api_url: that of the scraper, which a fault of the link `scraper-api` breaks; empty:
            `api_url`.
        counts_age_s: how old the broker's own counts of messages may be, in seconds.
        prometheus_url, alertmanager_url, flower_url, grafana_url: `http://host:port`; None: it does
            not run.
    """

    api_url: str
    api_token: str = field(repr=False)
    broker_urls: Mapping[str, str] = field(repr=False)
    management_url: str
    metrics_url: str
    results_url: str = field(repr=False)
    database_url: str = field(repr=False)
    site_url: str
    scraper_api_url: str = ""
    counts_age_s: float = AGE_S
    prometheus_url: str | None = None
    alertmanager_url: str | None = None
    flower_url: str | None = None
    grafana_url: str | None = None

    @property
    def management(self) -> Management:
        """The broker's management API, as the administrator."""
        return Management(self.management_url, self.broker_urls["admin"], self.counts_age_s)


@dataclass(frozen=True, slots=True)
class Log:
    """What one process wrote.

    Attributes:
        name: `<role>-<index>`, or as it was named when it was started.
        read: gives what is there now, in pieces.
    """

    name: str
    read: Callable[[], Iterator[bytes]]

    def text(self) -> str:
        """What is there now, as text."""
        return b"".join(self.read()).decode("utf-8", "replace")


class Substrate(Protocol):
    """Where the system runs.

    Attributes:
        name: as it is registered; a run records it.
    """

    name: str

    def up(self, plan: Plan) -> Endpoints:
        """Start everything; return once every role has answered.

        Raises:
            SubstrateError: a role died or did not answer in time; what had started is ended.
        """
        ...

    def down(self) -> None:
        """End everything. Does nothing if nothing runs."""
        ...

    def logs(self, role: Role | None = None) -> list[Log]:
        """The logs of a role, one for each process it ever had; of everything if None."""
        ...
