"""The chart as Helm renders it, as objects; each set of values once in a process."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from lab.dev import helm
from lab.dev.chart import CHART

Object = dict[str, Any]
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
RELEASE, NAMESPACE = "messaging-platform", "messaging"
API_ELSEWHERE = ("--set", "backend.enabled=false", "--set", "api.url=https://api.example")
EVERYTHING = (
    *("--set", "rabbitmq.replicas=3", "--set", "rabbitmq.earlierSender=true"),
    *("--set", "flower.enabled=true", "--set", "grafana.enabled=true"),
    *("--set", "operator.serviceMonitors=true", "--set", "operator.rules=true"),
    *("--set", "operator.labels.release=kps", "--set", "operator.namespace=monitoring"),
    *("--set", "worker.autoscaling.enabled=true", "--set", "worker.preStopSeconds=5"),
    *("--set", "secrets.existingSecret=mine", "--set", "brokerPriorityClassName=important"),
    *("--set", "alertmanager.webhookUrl=https://hook.example/secret"),
    *("--set", "backend.ingress.enabled=true", "--set", "backend.ingress.host=api.example"),
    *("--set", "scraper.urls={https://league.example/u14,https://league.example/u15}"),
    *("--set", "image.pullSecrets[0].name=registry", "--set", "nodeSelector.disk=ssd"),
)
"""Every option that adds something and goes with the others."""
VARIANTS: Mapping[str, tuple[str, ...]] = {
    "defaults": (),
    "all": ("--values", str(CHART / "values-all.yaml")),
    "local": ("--values", str(CHART / "values-local.yaml")),
    "gke": ("--values", str(CHART / "values-gke.yaml")),
    "everything": EVERYTHING,
    "keda": ("--set", "worker.keda.enabled=true"),
}
WITH_MESSAGING = [name for name in VARIANTS if name != "gke"]


class RefusedValues(Exception):  # noqa: N818
    """Helm refused the values; its words."""


@dataclass(frozen=True, slots=True)
class Chart:
    """What one set of values renders to."""

    objects: tuple[Object, ...]

    def kinds(self, *kinds: str) -> list[Object]:
        """All objects of these kinds."""
        return [each for each in self.objects if each["kind"] in kinds]

    def get(self, kind: str, name: str) -> Object:
        """The one object of this kind and name."""
        (found,) = (each for each in self.kinds(kind) if each["metadata"]["name"] == name)
        return found

    def pods(self) -> Iterator[tuple[str, Object, Object]]:
        """Every pod's name, metadata and specification, whatever makes it."""
        for each in self.objects:
            name = f"{each['kind']}/{each['metadata']['name']}"
            if each["kind"] == "Pod":
                yield name, each["metadata"], each["spec"]
            elif each["kind"] == "CronJob":
                template = each["spec"]["jobTemplate"]["spec"]["template"]
                yield name, template["metadata"], template["spec"]
            elif each["kind"] in ("Deployment", "StatefulSet", "Job"):
                template = each["spec"]["template"]
                yield name, template["metadata"], template["spec"]

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Every container, the ones for preparation included, and its name."""
        for name, _, spec in self.pods():
            for each in (*spec.get("initContainers", ()), *spec["containers"]):
                yield f"{name}/{each['name']}", each

    def container(self, kind: str, name: str) -> Object:
        """The one container of a workload."""
        (found,) = (spec["containers"] for at, _, spec in self.pods() if at == f"{kind}/{name}")
        (container,) = found
        return dict(container)


def run(command: str, *options: str) -> str:
    """Run Helm on the chart; return what it printed.

    Raises:
        RefusedValues: it failed.
    """
    named = (RELEASE, str(CHART)) if command == "template" else (str(CHART),)
    done = subprocess.run(
        [helm.need(), command, *named, "--namespace", NAMESPACE, *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise RefusedValues(done.stderr + done.stdout)
    return done.stdout


@cache
def render(*options: str) -> Chart:
    """The chart with these options of Helm."""
    documents = yaml.load_all(run("template", *options), Loader=_Loader)
    return Chart(tuple(each for each in documents if each))


def variant(name: str) -> Chart:
    """One of the variants."""
    return render(*VARIANTS[name])


def environment(container: Object, secrets: Mapping[str, str]) -> dict[str, str]:
    """A container's variables, as Kubernetes would set them."""
    found: dict[str, str] = {}
    for each in container.get("env", ()):
        if "valueFrom" in each:
            source = each["valueFrom"]
            key = source["secretKeyRef"]["key"] if "secretKeyRef" in source else ""
            found[each["name"]] = secrets.get(key, f"<{key or source['fieldRef']['fieldPath']}>")
        else:
            value = each["value"]
            for name, known in found.items():
                value = value.replace(f"$({name})", known)
            found[each["name"]] = value
    return found
