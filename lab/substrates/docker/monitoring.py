"""What watches a lab in containers: Prometheus, Alertmanager, and the exporters beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial

import yaml

from lab.substrates import prometheus_file
from lab.substrates.containers import watched
from lab.substrates.containers.stack import DATABASE, POSTGRESQL, REDIS, RESULTS, Stack
from lab.substrates.containers.watched import (
    ALERTMANAGER,
    ALERTMANAGER_PORT,
    POSTGRESQL_EXPORTER,
    POSTGRESQL_EXPORTER_PORT,
    PROMETHEUS,
    PROMETHEUS_PORT,
    REDIS_EXPORTER,
    REDIS_EXPORTER_PORT,
    watching,
)
from lab.substrates.docker.container import File, Spec
from lab.substrates.local.roles import is_ok

SERIES = "/prometheus"
_UID = 65534
"""As which Prometheus and Alertmanager run in their public images."""
_TARGETS = "/etc/prometheus/targets"
_RETENTION_BYTES = "2GB"
_RESEND_S = 5


def specs(stack: Stack) -> list[Spec]:
    """All of them."""
    return [_alertmanager(stack), _prometheus(stack), *_exporters(stack)]


def targets(stack: Stack, running: Iterable[str]) -> dict[str, File]:
    """What Prometheus is to scrape, as the files that it reads again when they change."""
    return {
        f"{_TARGETS}/{job}.json": _file(json.dumps(content))
        for job, content in watched.targets(stack, running).items()
    }


def _file(content: str) -> File:
    return File(content, _UID, 0o640)


def _prometheus(stack: Stack) -> Spec:
    ports = stack.publish(PROMETHEUS, PROMETHEUS_PORT)
    rules = {
        f"/etc/prometheus/{name}": _file(yaml.safe_dump(content, sort_keys=False))
        for name, content in watching(stack).rules.items()
    }
    content = prometheus_file.placed(
        watching(stack).prometheus,
        targets_folder=_TARGETS,
        rule_files=list(rules),
        alertmanager=f"{ALERTMANAGER}:{ALERTMANAGER_PORT}",
    )
    return Spec(
        PROMETHEUS,
        stack.images.public["prometheus"],
        partial(is_ok, ports[PROMETHEUS_PORT], "/-/ready"),
        command=(
            "--config.file=/etc/prometheus/prometheus.yml",
            f"--storage.tsdb.path={SERIES}",
            f"--storage.tsdb.retention.size={_RETENTION_BYTES}",
            # As on processes: see lab/substrates/local/monitoring.py.
            f"--rules.alert.resend-delay={_RESEND_S}s",
        ),
        files={
            "/etc/prometheus/prometheus.yml": _file(yaml.safe_dump(content)),
            **rules,
            **targets(stack, ()),
        },
        volumes={PROMETHEUS: SERIES},
        published=ports,
        needs=(ALERTMANAGER,),
    )


def _alertmanager(stack: Stack) -> Spec:
    ports = stack.publish(ALERTMANAGER, ALERTMANAGER_PORT)
    content = yaml.safe_dump(dict(watching(stack).alertmanager))
    return Spec(
        ALERTMANAGER,
        stack.images.public["alertmanager"],
        partial(is_ok, ports[ALERTMANAGER_PORT], "/-/ready"),
        command=(
            "--config.file=/etc/alertmanager/alertmanager.yml",
            "--storage.path=/alertmanager",
            "--cluster.listen-address=",
        ),
        files={"/etc/alertmanager/alertmanager.yml": _file(content)},
        volumes={ALERTMANAGER: "/alertmanager"},
        published=ports,
    )


def _exporters(stack: Stack) -> list[Spec]:
    redis_ports = stack.publish(REDIS_EXPORTER, REDIS_EXPORTER_PORT)
    postgresql_ports = stack.publish(POSTGRESQL_EXPORTER, POSTGRESQL_EXPORTER_PORT)
    return [
        Spec(
            REDIS_EXPORTER,
            stack.images.public["redis-exporter"],
            partial(is_ok, redis_ports[REDIS_EXPORTER_PORT], "/metrics"),
            command=("--connection-timeout=2s",),
            env={
                "REDIS_ADDR": f"redis://{RESULTS}:{REDIS}",
                "REDIS_PASSWORD": stack.password("redis"),
            },
            published=redis_ports,
            needs=(RESULTS,),
        ),
        Spec(
            POSTGRESQL_EXPORTER,
            stack.images.public["postgresql-exporter"],
            partial(is_ok, postgresql_ports[POSTGRESQL_EXPORTER_PORT], "/metrics"),
            command=("--disable-settings-metrics",),
            env={
                "DATA_SOURCE_URI": f"{DATABASE}:{POSTGRESQL}/missing_table?sslmode=disable",
                "DATA_SOURCE_USER": "monitor",
                "DATA_SOURCE_PASS": stack.password("monitor"),
            },
            published=postgresql_ports,
            needs=(DATABASE,),
        ),
    ]
