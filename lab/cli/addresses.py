"""Where a lab that is up answers, for people: what `lab up` prints and `lab status` repeats."""

from __future__ import annotations

from lab.room import door
from lab.substrates.protocol import Endpoints
from lab.substrates.provider import Kept


def addresses(lab: Kept) -> dict[str, str]:
    """The addresses of a lab, by what is there; none while it starts. Without passwords. Pure."""
    if lab.endpoints is None:
        return {}
    ends, alerts = lab.endpoints, lab.endpoints.alertmanager_url
    found = {
        door.PLACE: lab.places.get(door.PLACE),
        "league site": ends.site_url,
        "league table": ends.api_url,
        "API": f"{ends.api_url}/openapi.json" if ends.api_url else None,
        "RabbitMQ": f"{ends.management_url}  (user admin)" if ends.management_url else None,
        "Prometheus": ends.prometheus_url,
        # Not its page: the package of Debian has none.
        "Alertmanager": alerts and f"{alerts}/api/v2/alerts",
        "Flower": ends.flower_url,
        "Grafana": ends.grafana_url,
        **lab.places,
    }
    return {what: place for what, place in found.items() if place}


def secrets(ends: Endpoints) -> dict[str, str]:
    """What else a person may need, passwords included. Pure."""
    brokers = {f"broker as {user}": url for user, url in ends.broker_urls.items()}
    return {
        "API token": ends.api_token,
        "results": ends.results_url,
        "database": ends.database_url,
        **brokers,
    }


def lines(found: dict[str, str]) -> list[str]:
    """Addresses below each other. Pure."""
    width = max(map(len, found), default=0)
    return [f"  {what:{width}}  {place}" for what, place in found.items()]
