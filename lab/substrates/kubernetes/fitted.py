"""The chart's objects as a lab needs them. Pure: objects in, objects out.

Each part of the system has its name here, as everywhere in the lab (`broker-0`, `worker-1`), and a
controller of its own, so that one can be ended and stay ended. Pods are the chart's, but for this:

- its processes share one process namespace, in which a signal can stop or end all of them;
- no liveness probe: it would mend, by a restart, what an experiment breaks;
- a worker's counters are on a claim, for they have to go on after its death, as the ledger does;
- settings, links and wrappers of the plan; Prometheus and Alertmanager as the plan has them.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from lab.substrates import prometheus_file
from lab.substrates.abilities import OUTBOX
from lab.substrates.containers import watched
from lab.substrates.containers.stack import (
    API,
    BROKER,
    DATABASE,
    POSTGRESQL,
    RESULTS,
    RUNNER,
    SCRAPER_EXPORTER,
    Stack,
    relay_port,
)
from lab.substrates.containers.watched import (
    ALERTMANAGER,
    ALERTMANAGER_PORT,
    POSTGRESQL_EXPORTER,
    PROMETHEUS,
    PROMETHEUS_PORT,
    REDIS_EXPORTER,
)
from lab.substrates.kubernetes.objects import PART, Object
from lab.substrates.kubernetes.own import OUTPUT, claim, near_runner, with_sources
from lab.substrates.plan import Link, Role

WORKER = "celery-worker"
TARGETS = "prometheus-targets"
"""The ConfigMap of what Prometheus scrapes."""
_SINGLE = {
    ("StatefulSet", "rabbitmq"): BROKER,
    ("StatefulSet", "redis"): RESULTS,
    ("StatefulSet", "database"): DATABASE,
    ("Deployment", "backend"): API,
    ("Deployment", "scraper-exporter"): SCRAPER_EXPORTER,
    ("Deployment", "redis-exporter"): REDIS_EXPORTER,
    ("Deployment", "postgres-exporter"): POSTGRESQL_EXPORTER,
    ("Deployment", "alertmanager"): ALERTMANAGER,
    ("StatefulSet", "prometheus"): PROMETHEUS,
}
"""The chart's controllers, and which part each of them is. Workers have one for each."""
_IN_CHART = {
    Link.WORKER_BROKER: (Role.WORKER, "rabbitmq:5672"),
    Link.WORKER_RESULTS: (Role.WORKER, "redis:6379"),
    Link.WORKER_API: (Role.WORKER, "backend:80"),
    Link.API_DATABASE: (Role.API, "database:5432"),
}
"""Each link: who calls, and the address that the chart gives it."""
_FIRST = frozenset({BROKER, RESULTS, DATABASE, ALERTMANAGER})
"""What others wait for when they start; it comes first, with all that is no pod."""


@dataclass(frozen=True, slots=True)
class Controller:
    """What brings the pod of a part: a Deployment or a StatefulSet with one pod at most.

    Attributes:
        part: as the lab names it.
        object: as `kubectl` names it, such as `deployment/backend`.
    """

    part: str
    object: str


def controller(made: Object) -> Controller | None:
    """Which part an object is the controller of."""
    part = made["metadata"].get("labels", {}).get(PART)
    if part is None or made["kind"] not in ("Deployment", "StatefulSet"):
        return None
    return Controller(part, f"{made['kind'].lower()}/{made['metadata']['name']}")


def fitted(stack: Stack, chart: Iterable[Object]) -> tuple[list[Object], list[Object]]:
    """The objects that come first, and those that come when these answer."""
    first: list[Object] = []
    then: list[Object] = []
    for each in chart:
        for made in _fitted(stack, copy.deepcopy(each)):
            part = controller(made)
            late = made["kind"] == "Job" or (part is not None and part.part not in _FIRST)
            (then if late else first).append(made)
    return first, then


def worker(stack: Stack, chart: Iterable[Object], index: int) -> list[Object]:
    """A worker of one's own: its controller, and the claim of its counters."""
    (given,) = (
        each for each in chart if (each["kind"], each["metadata"]["name"]) == ("Deployment", WORKER)
    )
    made = copy.deepcopy(given)
    name = f"{Role.WORKER}-{index}"
    made["metadata"]["name"] = f"{WORKER}-{index}"
    # The counters belong to one process at a time, so the old pod ends before a new one comes.
    made["spec"]["strategy"] = {"type": "Recreate"}
    pod = _as_part(stack, made, name)
    counters = f"counters-{name}"
    pod["volumes"] = [
        {"name": "metrics", "persistentVolumeClaim": {"claimName": counters}}
        if volume["name"] == "metrics"
        else volume
        for volume in pod["volumes"]
    ]
    settings = stack.plan.settings.get(Role.WORKER, {})
    if settings.get("MISSING_TABLE_SINK") == "database":
        url = stack.postgresql(stack.inside(DATABASE, POSTGRESQL))
        _set(pod["containers"][0], {"MISSING_TABLE_DATABASE_URL": url})
    return [claim(counters), made]


def targets(stack: Stack, running: Iterable[str]) -> Object:
    """What Prometheus is to scrape, as the files that it reads again when they change."""
    found = watched.targets(stack, running)
    for target in found.get("prometheus", []):
        target["targets"] = [f"localhost:{PROMETHEUS_PORT}"]  # no policy lets it call itself
    data = {f"{job}.json": json.dumps(content) for job, content in found.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": TARGETS},
        "data": data,
    }


def _fitted(stack: Stack, made: Object) -> Iterator[Object]:
    kind, name = made["kind"], made["metadata"]["name"]
    if kind in ("CronJob", "PodDisruptionBudget") or (kind, name) == ("Deployment", WORKER):
        return  # the lab runs the scraper itself; workers are made one by one
    part = _SINGLE.get((kind, name))
    if part is not None:
        if part == SCRAPER_EXPORTER and stack.plan.monitoring is None:
            return
        pod = _as_part(stack, made, part)
        if part == SCRAPER_EXPORTER:
            _reads_the_runners_output(pod)
        if part == PROMETHEUS:
            _watches_as_planned(pod)
    elif stack.plan.monitoring is not None:
        _configure(stack, made)
    yield made


def _as_part(stack: Stack, made: Object, part: str) -> Object:
    """Mark a controller and its pod as a part; return the pod's description."""
    role = Role(part.rpartition("-")[0])
    made["metadata"].setdefault("labels", {})[PART] = part
    made["spec"]["selector"]["matchLabels"][PART] = part
    template = made["spec"]["template"]
    template["metadata"]["labels"][PART] = part
    pod: Object = template["spec"]
    pod["shareProcessNamespace"] = True
    (container,) = pod["containers"]
    container.pop("livenessProbe", None)
    for link in stack.plan.relayed & _IN_CHART.keys():
        caller, usual = _IN_CHART[link]
        if caller is role:
            _redirect(container, usual, f"{RUNNER}:{relay_port(link)}")
    _set(container, stack.plan.settings.get(role, {}))
    wrapper = stack.plan.wrapper.get(role)
    if wrapper is not None:
        container["args"] = [wrapper, *container["args"]]
        with_sources(pod, container, stack.images.system)
    return pod


def _redirect(container: Object, usual: str, chosen: str) -> None:
    """Let a container call another address."""
    for variable in container["env"]:
        if "value" in variable:
            variable["value"] = variable["value"].replace(usual, chosen)


def _set(container: Object, settings: Any) -> None:
    """Give a container variables; they replace those of the same name."""
    kept = [each for each in container.get("env", []) if each["name"] not in settings]
    container["env"] = kept + [{"name": name, "value": value} for name, value in settings.items()]


def _reads_the_runners_output(pod: Object) -> None:
    """The scraper runs in the runner; both have the chart's claim, so they are on one node."""
    (container,) = pod["containers"]
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == "data")
    folder = f"{mount['mountPath']}/{OUTPUT}"
    _set(
        container,
        {
            "MISSING_TABLE_METRICS_FOLDER": f"{folder}/scraper-metrics",
            "MISSING_TABLE_OUTBOX": f"{folder}/{OUTBOX}",
        },
    )
    pod["affinity"] = near_runner()


def _watches_as_planned(pod: Object) -> None:
    (container,) = pod["containers"]
    # As on processes: see lab/substrates/local/monitoring.py.
    container["args"].append("--rules.alert.resend-delay=5s")
    mount = {"name": "targets", "mountPath": "/etc/prometheus/targets", "readOnly": True}
    container["volumeMounts"].append(mount)
    pod["volumes"].append({"name": "targets", "configMap": {"name": TARGETS}})


def _configure(stack: Stack, made: Object) -> None:
    """Put the plan's configuration in place of the chart's."""
    plan = watched.watching(stack)
    match made["kind"], made["metadata"]["name"]:
        case "ConfigMap", "prometheus":
            content = prometheus_file.placed(
                plan.prometheus,
                targets_folder="/etc/prometheus/targets",
                rule_files=["/etc/prometheus/rules/*.yaml"],
                alertmanager=f"alertmanager:{ALERTMANAGER_PORT}",
            )
            made["data"] = {"prometheus.yml": yaml.safe_dump(content)}
        case "ConfigMap", "prometheus-rules":
            made["data"] = {
                name: yaml.safe_dump(content, sort_keys=False)
                for name, content in plan.rules.items()
            }
        case "Secret", "alertmanager":
            secret = yaml.safe_dump(dict(plan.alertmanager)).encode()
            made["data"] = {"alertmanager.yml": base64.b64encode(secret).decode()}
        case _:
            return
