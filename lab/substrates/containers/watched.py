"""Which jobs of Prometheus scrape which part of a lab in containers, and where."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.errors import SubstrateError
from lab.substrates import prometheus_file
from lab.substrates.containers.stack import (
    API,
    BROKER,
    BROKER_METRICS,
    HTTP,
    METRICS,
    SCRAPER_EXPORTER,
    Stack,
)
from lab.substrates.local.monitoring import RABBITMQ_JOBS
from lab.substrates.plan import Monitoring, Role

PROMETHEUS, ALERTMANAGER = f"{Role.PROMETHEUS}-0", f"{Role.ALERTMANAGER}-0"
REDIS_EXPORTER, POSTGRESQL_EXPORTER = f"{Role.EXPORTER}-0", f"{Role.EXPORTER}-1"
PROMETHEUS_PORT, ALERTMANAGER_PORT = 9090, 9093
REDIS_EXPORTER_PORT, POSTGRESQL_EXPORTER_PORT = 9121, 9187
_SINGLE: dict[str, tuple[tuple[str, ...], int]] = {
    BROKER: (RABBITMQ_JOBS, BROKER_METRICS),
    API: (("backend",), HTTP),
    SCRAPER_EXPORTER: (("scraper",), METRICS),
    REDIS_EXPORTER: (("redis",), REDIS_EXPORTER_PORT),
    POSTGRESQL_EXPORTER: (("postgresql",), POSTGRESQL_EXPORTER_PORT),
    PROMETHEUS: (("prometheus",), PROMETHEUS_PORT),
    ALERTMANAGER: (("alertmanager",), ALERTMANAGER_PORT),
}
"""By part: the jobs that scrape it, and its port; each worker is scraped, too."""


def watching(stack: Stack) -> Monitoring:
    """What the plan says about monitoring.

    Raises:
        SubstrateError: nothing.
    """
    if stack.plan.monitoring is None:
        raise SubstrateError("this lab runs without monitoring")
    return stack.plan.monitoring


def jobs_of(name: str) -> list[tuple[str, str]]:
    """The jobs that scrape a part, and where."""
    if name.startswith(f"{Role.WORKER}-"):
        return [("worker", f"{name}:{METRICS}")]
    jobs, port = _SINGLE.get(name, ((), 0))
    return [(job, f"{name}:{port}") for job in jobs]


def targets(stack: Stack, running: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """What Prometheus is to scrape: the content of each job's targets file, by job."""
    jobs = [str(job["job_name"]) for job in watching(stack).prometheus["scrape_configs"]]
    found: dict[str, dict[str, str]] = {job: {} for job in jobs}
    for name in running:
        for job, at in jobs_of(name):
            found[job][name] = at
    return {job: prometheus_file.targets(addresses) for job, addresses in found.items()}
