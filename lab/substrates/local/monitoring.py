"""What watches a lab: a private Prometheus and Alertmanager, and the exporters beside them.

They start with the rest. What is to be scraped is written into files as it comes
up, which Prometheus reads again by itself.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import yaml

from lab.errors import SubstrateError
from lab.substrates import prometheus_file, scraped
from lab.substrates.local import broker, database, programs, results, roles
from lab.substrates.local.ports import HOST
from lab.substrates.local.processes import Command
from lab.substrates.local.service import (
    Ground,
    Launch,
    Service,
    environment,
    name_of,
    write_private,
)
from lab.substrates.plan import Monitoring, Role

PROMETHEUS = name_of(Role.PROMETHEUS)
ALERTMANAGER = name_of(Role.ALERTMANAGER)
REDIS_EXPORTER = name_of(Role.EXPORTER, 0)
POSTGRESQL_EXPORTER = name_of(Role.EXPORTER, 1)
RABBITMQ_JOBS = ("rabbitmq", "rabbitmq-detailed")
SERIES = "series"
"""The folder of what Prometheus records."""
_RETENTION_BYTES = "2GB"
_RESEND_S = 5

_JOBS: dict[str, str] = {
    Role.WORKER: "worker",
    Role.API: "backend",
    Role.SCRAPER_EXPORTER: "scraper",
    Role.PROMETHEUS: "prometheus",
    Role.ALERTMANAGER: "alertmanager",
    Role.FLOWER: "flower",
}
_EXPORTERS = {REDIS_EXPORTER: "redis", POSTGRESQL_EXPORTER: "postgresql"}
_OPTIONS = {
    REDIS_EXPORTER: "--connection-timeout=2s",
    POSTGRESQL_EXPORTER: "--disable-settings-metrics",
}


def services(ground: Ground) -> list[Service]:
    """Prometheus, Alertmanager, and the exporters that this machine has."""
    ready = "/-/ready"
    listed = [
        # Its configuration names Alertmanager's port, which is known by then.
        roles.web_service(ground, PROMETHEUS, ready, partial(_prometheus, ground), ALERTMANAGER),
        roles.web_service(ground, ALERTMANAGER, ready, partial(_alertmanager, ground)),
    ]
    exporters = (
        (REDIS_EXPORTER, results.RESULTS, results.monitor, "redis-exporter"),
        (POSTGRESQL_EXPORTER, database.DATABASE, database.monitor, "postgres-exporter"),
    )
    listed += [
        Service(
            name,
            needs=(watched,),
            configure=partial(_exporter, ground, name, login, program),
            answers=partial(lambda name: broker.accepts(ground.ports[name]), name),
        )
        for name, watched, login, program in exporters
        if programs.find(program)
    ]
    return listed


def point_at(
    ground: Ground, running: Iterable[str], others: Mapping[str, Mapping[str, str]]
) -> None:
    """Write down what Prometheus is to scrape: the services that run, and others.

    Args:
        others: by job and instance, `host:port` of what is no service of the substrate.
    """
    found: dict[str, dict[str, str]] = {job: dict(others.get(job, {})) for job in _jobs(ground)}
    for name in running:
        for job, port in _watched(ground, name):
            found[job][name] = f"{HOST}:{port}"
    folder = _targets(ground)
    for job, addresses in found.items():
        draft = folder / f"{job}.new"
        draft.write_text(json.dumps(prometheus_file.targets(addresses), indent=1), "utf-8")
        draft.replace(folder / f"{job}.json")


def wait_until_seen(ground: Ground, running: Iterable[str]) -> None:
    """Return once everything that runs has been scraped: what counts from now on is recorded.

    Raises:
        SubstrateError: something was not, or does not answer to Prometheus.
    """
    scraped.wait_until_scraped(
        f"http://{HOST}:{ground.ports[PROMETHEUS]}",
        [(job, name) for name in running for job, _ in _watched(ground, name)],
        f"{ground.instance.logs / PROMETHEUS}.log",
    )


def _watched(ground: Ground, name: str) -> list[tuple[str, int]]:
    """The jobs that scrape a service, and where."""
    if name in broker.names(ground):
        port = ground.ports[broker.part(broker.METRICS, name)]
        return [(job, port) for job in RABBITMQ_JOBS]
    if name in _EXPORTERS:
        return [(_EXPORTERS[name], ground.ports[name])]
    role = name.rpartition("-")[0]
    at = ground.ports.get(roles.metrics_of(name) if role == Role.WORKER else name)
    return [(_JOBS[role], at)] if at and role in _JOBS else []


def _watching(ground: Ground) -> Monitoring:
    if ground.plan.monitoring is None:
        raise SubstrateError("this lab runs without monitoring")
    return ground.plan.monitoring


def _jobs(ground: Ground) -> list[str]:
    return [str(job["job_name"]) for job in _watching(ground).prometheus["scrape_configs"]]


def _targets(ground: Ground) -> Path:
    folder = ground.folder("prometheus") / "targets"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _prometheus(ground: Ground, port: int) -> Command:
    folder = ground.folder("prometheus")
    rules = []
    for name, content in _watching(ground).rules.items():
        target = folder / name
        target.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
        rules.append(str(target))
    content = prometheus_file.placed(
        _watching(ground).prometheus,
        targets_folder=str(_targets(ground)),
        rule_files=rules,
        alertmanager=f"{HOST}:{ground.ports[ALERTMANAGER]}",
    )
    configuration = write_private(folder / "prometheus.yml", yaml.safe_dump(content))
    return Command(
        (
            programs.need("prometheus"),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={ground.folder(SERIES)}",
            f"--storage.tsdb.retention.size={_RETENTION_BYTES}",
            f"--web.listen-address={HOST}:{port}",
            # Else what fires in the first seconds, before Alertmanager was found, is sent
            # only a minute later. Four of these after Prometheus has gone, alerts resolve.
            f"--rules.alert.resend-delay={_RESEND_S}s",
        ),
        environment(),
        cwd=folder,
        end=signal.SIGTERM,  # it writes down what it has recorded
    )


def _alertmanager(ground: Ground, port: int) -> Command:
    folder = ground.folder("alertmanager")
    content = yaml.safe_dump(_watching(ground).alertmanager)
    configuration = write_private(folder / "alertmanager.yml", content)
    return Command(
        (
            programs.need("alertmanager"),
            f"--config.file={configuration}",
            f"--storage.path={folder}",
            f"--web.listen-address={HOST}:{port}",
            "--cluster.listen-address=",
        ),
        environment(),
        cwd=folder,
    )


def _exporter(
    ground: Ground, name: str, login: Callable[[Ground], dict[str, str]], program: str
) -> Launch:
    (port,) = ports = ground.listen(name)
    command = Command(
        (programs.need(program), f"--web.listen-address={HOST}:{port}", _OPTIONS[name]),
        environment(**login(ground)),
        cwd=ground.folder("exporters"),
    )
    return Launch(command, ports=ports)
