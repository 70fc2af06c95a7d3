"""Where else one can look: the services' own pages, and how to log in there."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from lab.paths import fresh_lab_command
from lab.room.scene import Scene


@dataclass(frozen=True, slots=True)
class Link:
    """A page elsewhere.

    Attributes:
        url: None if nothing answers there now; `command` then starts it.
        user, password: to log in.
    """

    name: str
    url: str | None
    note: str
    command: str = ""
    user: str = ""
    password: str = field(default="", repr=False)


def of(scene: Scene) -> list[Link]:
    """Every page of a lab that is up."""
    ends = scene.endpoints
    if ends is None:
        return []
    admin = urlsplit(ends.broker_urls["admin"])
    return [
        Link("League site", ends.site_url, "what the scraper reads"),
        Link("League table", f"{ends.api_url}/", "what came of it, for people"),
        Link("API description", f"{ends.api_url}/openapi.json", "OpenAPI, as JSON"),
        Link(
            "RabbitMQ",
            f"{ends.management_url}/",
            "queues, exchanges, connections",
            user=unquote(admin.username or ""),
            password=unquote(admin.password or ""),
        ),
        Link("Prometheus", ends.prometheus_url, "every number of this page, by PromQL")
        if ends.prometheus_url
        else Link("Prometheus", None, "runs unless the lab was started with --no-monitoring"),
        Link("Flower", ends.flower_url, "each task of each worker")
        if ends.flower_url
        else Link(
            "Flower",
            None,
            "each task of each worker; it comes with",
            fresh_lab_command("up", "--with", "flower"),
        ),
        *([Link("Grafana", ends.grafana_url, "the dashboards")] if ends.grafana_url else []),
        Link(
            "Locust",
            "http://127.0.0.1:8089",
            "more load, once it runs:",
            ".venv/bin/locust -f load/locustfile.py --config load/profiles/baseline.conf",
        ),
    ]
