"""Prometheus' configuration, as data: what is scraped, how often, and where series are sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

EVERY = "1s"
RABBITMQ, RABBITMQ_DETAILED = "rabbitmq", "rabbitmq-detailed"
JOBS = (
    RABBITMQ,
    RABBITMQ_DETAILED,
    "worker",
    "backend",
    "scraper",
    "redis",
    "postgresql",
    "flower",
    "lab",
    "prometheus",
    "alertmanager",
)
"""Every job, in the order of a message's way; those without a target scrape nothing."""

_PATHS: Mapping[str, dict[str, Any]] = {
    # All queues in one scrape: the plain endpoint gives sums only, and nothing of bindings.
    RABBITMQ_DETAILED: {
        "metrics_path": "/metrics/detailed",
        "params": {"family": ["queue_coarse_metrics", "queue_consumer_count", "exchange_bindings"]},
    },
}
_KEPT = "missing_table_.*|slo:.*|queue:.*|up|rabbitmq_.*|process_.*|redis_.*|pg_.*|ALERTS"


@dataclass(frozen=True, slots=True)
class RemoteWrite:
    """Where series are sent by remote write, such as Grafana Cloud.

    Attributes:
        url: of the remote-write endpoint, https.
        user: the name to log in with; for Grafana Cloud a number.
        password_file: holds the token, which is never in the configuration itself.
        labels: added to every series that is sent, such as `cluster` and `env`.
    """

    url: str
    user: str
    password_file: str
    labels: Mapping[str, str]


def configuration(remote_write: RemoteWrite | None = None) -> dict[str, Any]:
    """The content of prometheus.yml, without addresses: the substrate adds the targets of each job.

    Args:
        remote_write: None sends nothing.
    """
    often = dict.fromkeys(("scrape_interval", "scrape_timeout", "evaluation_interval"), EVERY)
    result: dict[str, Any] = {
        "global": often,
        "scrape_configs": [
            {"job_name": job, "sample_limit": 20_000, "body_size_limit": "10MB"}
            | _PATHS.get(job, {})
            for job in JOBS
        ],
    }
    if remote_write is not None:
        result["global"]["external_labels"] = dict(remote_write.labels)
        result["remote_write"] = [_remote(remote_write)]
    return result


def _remote(to: RemoteWrite) -> dict[str, Any]:
    return {
        "url": to.url,
        "remote_timeout": "10s",
        "basic_auth": {"username": to.user, "password_file": to.password_file},
        "write_relabel_configs": [
            {"source_labels": ["__name__"], "regex": _KEPT, "action": "keep"}
        ],
        # Bounded: while the other side is unavailable, memory must not grow without limit.
        "queue_config": {"capacity": 10_000, "max_shards": 5, "max_samples_per_send": 2_000},
    }
