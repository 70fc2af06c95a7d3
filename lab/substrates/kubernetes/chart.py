"""The chart's objects, as Helm renders them with the values of a lab.

Helm makes text only; it never talks to the cluster, and so cannot talk to a wrong one.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.errors import CannotRun, SubstrateError
from lab.substrates.containers.images import CHART, IN_CHART
from lab.substrates.containers.stack import Stack

RELEASE = "messaging-platform"
KUBE_VERSION = "1.31"
"""For which it is rendered; the chart makes no difference between versions."""
RENDER_S = 60.0
_ALL = CHART / "values-all.yaml"
_SECRETS = {
    "broker-scraper": "scraper",
    "broker-worker": "worker",
    "broker-operator": "operator",
    "broker-admin": "admin",
    "broker-earlier-sender": "earlier-sender",
    "erlang-cookie": "cookie",
    "redis": "redis",
    "database": "backend",
    "database-superuser": "postgres",
    "database-monitor": "monitor",
    "api-token": "api",
}
"""The chart's keys, and whose passwords they are in a lab."""
_CPU = "20m"
"""What each pod asks for: on a small node, two labs side by side still fit."""


def values(stack: Stack) -> dict[str, Any]:
    """The lab's own values, passwords among them. Pure but for the passwords, made at first use."""
    watched = stack.plan.monitoring is not None
    found: dict[str, Any] = {
        "image": image_value(stack.images.system),
        "secrets": {"given": {key: stack.password(user) for key, user in _SECRETS.items()}},
        "rabbitmq": {
            "earlierSender": True,
            "cpu": _CPU,
            "diskFreeLimit": "50MB",
            "persistence": {"size": "1Gi"},
        },
        "redis": {"resources": _asking("64Mi")},
        "database": {"resources": _asking("128Mi"), "persistence": {"size": "1Gi"}},
        "backend": {"replicas": 1, "resources": _asking("128Mi")},
        "worker": {
            "replicas": 1,
            "concurrency": stack.plan.concurrency,
            "resources": _asking("128Mi"),
        },
        "prometheus": {"enabled": watched, "resources": _asking("128Mi")},
        "alertmanager": {"enabled": watched, "resources": _asking("32Mi")},
        "exporters": {"redis": {"enabled": watched}, "postgresql": {"enabled": watched}},
        "podDisruptionBudgets": {"enabled": False},
    }
    for part, image in stack.images.public.items():
        at = found
        for key in IN_CHART[part]:
            at = at.setdefault(key, {})
        at["image"] = image_value(image)
    return found


def rendered(stack: Stack, namespace: str) -> list[dict[str, Any]]:
    """Every object of the chart, but for its tests.

    Raises:
        CannotRun: there is no Helm.
        SubstrateError: the chart refuses the values.
    """
    arguments = ("template", RELEASE, str(CHART), "--no-hooks", "--namespace", namespace)
    files = ("--kube-version", KUBE_VERSION, "--values", str(_ALL), "--values", "-")
    done = subprocess.run(
        [helm(), *arguments, *files],
        input=yaml.safe_dump(values(stack)),
        capture_output=True,
        text=True,
        timeout=RENDER_S,
        check=False,
    )
    if done.returncode != 0:
        raise SubstrateError(f"helm template: {done.stderr.strip()}")
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def helm() -> str:
    """The path of Helm: that of this environment wins, see `lab.dev.helm`.

    Raises:
        CannotRun: there is none.
    """
    own = Path(sys.prefix) / "bin" / "helm"
    found = str(own) if own.exists() else shutil.which("helm")
    if found is None:
        raise CannotRun(
            "there is no Helm; bring one with `.venv/bin/python -m lab.dev.helm`, or install it "
            "(https://helm.sh/docs/intro/install)"
        )
    return found


def _asking(memory: str) -> Mapping[str, Any]:
    return {"requests": {"cpu": _CPU, "memory": memory}}


def image_value(name: str) -> dict[str, str]:
    """The parts of an image's name, as the chart's values have them. Pure."""
    repository, _, digest = name.partition("@")
    if digest:
        return {"repository": repository, "tag": "", "digest": digest}
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return {"repository": name, "tag": "latest", "digest": ""}
    return {"repository": repository, "tag": tag, "digest": ""}
