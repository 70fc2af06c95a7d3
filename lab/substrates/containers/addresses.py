"""Where everything of a lab in containers answers, from this machine and from the runner."""

from __future__ import annotations

from lab.substrates.broker_logins import USERS
from lab.substrates.containers import watched
from lab.substrates.containers.stack import (
    AMQP,
    API,
    BROKER,
    BROKER_METRICS,
    DATABASE,
    HTTP,
    MANAGEMENT,
    POSTGRESQL,
    REDIS,
    RESULTS,
    RUNNER,
    SITE,
    TARGETS,
    Stack,
    relay_port,
)
from lab.substrates.local.ports import HOST
from lab.substrates.plan import Link
from lab.substrates.protocol import Endpoints


def endpoints(stack: Stack) -> Endpoints:
    """Where everything answers, for this machine and for the runner's programs."""
    broker = stack.here(BROKER, AMQP)

    def of_scraper(link: Link, direct: str) -> str:
        relayed = link in stack.plan.relayed
        return stack.here(RUNNER, relay_port(link)) if relayed else direct

    scrapers = of_scraper(Link.SCRAPER_BROKER, broker)
    api = stack.here(API, HTTP)
    monitored = stack.plan.monitoring is not None
    return Endpoints(
        api_url=f"http://{api}",
        api_token=stack.password("api"),
        broker_urls={
            user: stack.amqp(user, scrapers if user == "scraper" else broker) for user in USERS
        },
        management_url=f"http://{stack.here(BROKER, MANAGEMENT)}",
        metrics_url=f"http://{stack.here(BROKER, BROKER_METRICS)}/metrics",
        results_url=stack.redis(stack.here(RESULTS, REDIS)),
        database_url=stack.postgresql(stack.here(DATABASE, POSTGRESQL)),
        site_url=f"http://{stack.here(SITE, HTTP)}",
        scraper_api_url=f"http://{of_scraper(Link.SCRAPER_API, api)}",
        prometheus_url=f"http://{stack.here(watched.PROMETHEUS, watched.PROMETHEUS_PORT)}"
        if monitored
        else None,
        alertmanager_url=(f"http://{stack.here(watched.ALERTMANAGER, watched.ALERTMANAGER_PORT)}")
        if monitored
        else None,
    )


def passed_on(stack: Stack) -> list[dict[str, object]]:
    """What the runner passes on: the links of the plan; and this machine's ports, as its own.

    So an address that this machine uses is right for the runner's programs, too. The latter are
    gentle: a forward from this machine carries several connections, and ends if one is reset.
    """
    links = [
        {"name": link, "host": "0.0.0.0", "port": relay_port(link), "to": to, "target": port}  # noqa: S104 - in the container
        for link in sorted(stack.plan.relayed)
        for to, port in [TARGETS[link]]
    ]
    ways = [
        {
            "name": f"{name}:{there}",
            "host": HOST,
            "port": here,
            "to": HOST if name == RUNNER else name,
            "target": there,
            "gentle": True,
        }
        for (name, there), here in stack.ports.items()
    ]
    return [*links, *ways]
