"""Where everything of a local lab answers."""

from __future__ import annotations

from lab.substrates import broker_logins
from lab.substrates.local import broker, database, flower, grafana, monitoring, results, roles
from lab.substrates.local.ports import HOST
from lab.substrates.local.service import Ground
from lab.substrates.plan import Link
from lab.substrates.protocol import Endpoints


def endpoints(ground: Ground) -> Endpoints:
    """The address book of a lab whose services have their ports."""
    watched = ground.plan.monitoring is not None
    shown = ground.plan.dashboards is not None and grafana.is_here()
    return Endpoints(
        api_url=roles.http_url(ground, roles.API),
        api_token=ground.password("api"),
        broker_urls={
            user: broker.url(ground, user, Link.SCRAPER_BROKER if user == "scraper" else None)
            for user in broker_logins.USERS
        },
        management_url=broker.management_url(ground),
        metrics_url=f"http://{HOST}:{ground.ports[broker.METRICS]}/metrics",
        results_url=results.url(ground),
        database_url=database.url(ground),
        site_url=roles.http_url(ground, roles.SITE),
        scraper_api_url=roles.http_url(ground, roles.API, Link.SCRAPER_API),
        counts_age_s=broker.COUNTS_AGE_S,
        prometheus_url=roles.http_url(ground, monitoring.PROMETHEUS) if watched else None,
        alertmanager_url=roles.http_url(ground, monitoring.ALERTMANAGER) if watched else None,
        flower_url=roles.http_url(ground, flower.FLOWER) if ground.plan.flower else None,
        grafana_url=roles.http_url(ground, grafana.GRAFANA) if shown else None,
    )
