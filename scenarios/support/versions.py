"""Asks services for their versions over the network, each in its own way."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import redis
import urllib3

from lab.substrates.protocol import Endpoints

WITHIN_S = 30


def ask_versions(ends: Endpoints) -> dict[str, str]:
    """The versions that the services of a monitored lab report, by the doctor's names."""
    with redis.Redis.from_url(ends.results_url, socket_timeout=WITHIN_S) as client:
        results = str(client.info("server")["redis_version"])
    with psycopg.connect(ends.database_url, connect_timeout=WITHIN_S) as connection:
        database = str(connection.info.parameter_status("server_version")).split()[0]
    return {
        "RabbitMQ": ends.management.get("overview")["rabbitmq_version"],
        "Redis": results,
        "PostgreSQL": database,
        "Prometheus": number(
            _get(f"{ends.prometheus_url}/api/v1/status/buildinfo")["data"]["version"]
        ),
        "Alertmanager": number(
            _get(f"{ends.alertmanager_url}/api/v2/status")["versionInfo"]["version"]
        ),
    }


def number(version: str) -> str:
    """A version without what Debian adds to it: `2.42.0+ds` is 2.42.0."""
    return re.split(r"[+~-]", version)[0]


def _get(url: str) -> Any:
    return urllib3.request("GET", url, timeout=WITHIN_S, retries=False).json()
