"""What only a lab has on a cluster, as objects. Pure, but for the lab's own code that it packs.

The system's image is the only one of our own that a cluster needs: the lab's code comes in a
ConfigMap, and is unpacked beside the system's before its container starts.
"""

from __future__ import annotations

import base64
import io
import json
import zipfile
from collections.abc import Mapping

from lab.substrates.containers.inside import RELAYS, TOKEN
from lab.substrates.containers.sources import sources
from lab.substrates.containers.stack import (
    AMQP,
    API,
    BROKER,
    BROKER_METRICS,
    CONTROL,
    DATABASE,
    HTTP,
    MANAGEMENT,
    METRICS,
    POSTGRESQL,
    REDIS,
    RESULTS,
    RUNNER,
    SCRAPER_EXPORTER,
    SITE,
    WORK,
    Stack,
    relay_port,
)
from lab.substrates.containers.watched import (
    ALERTMANAGER,
    ALERTMANAGER_PORT,
    POSTGRESQL_EXPORTER,
    POSTGRESQL_EXPORTER_PORT,
    PROMETHEUS,
    PROMETHEUS_PORT,
    REDIS_EXPORTER,
    REDIS_EXPORTER_PORT,
)
from lab.substrates.kubernetes.objects import PART, Object, described
from lab.substrates.kubernetes.policies import policies
from lab.substrates.plan import Link

OUTPUT = "work"
"""The programs' working folder, on the claim of the runner."""
PORTS: Mapping[str, tuple[int, ...]] = {
    BROKER: (AMQP, MANAGEMENT, BROKER_METRICS),
    RESULTS: (REDIS,),
    DATABASE: (POSTGRESQL,),
    API: (HTTP,),
    SITE: (HTTP,),
    RUNNER: (CONTROL, *(relay_port(link) for link in Link)),
    SCRAPER_EXPORTER: (METRICS,),
    REDIS_EXPORTER: (REDIS_EXPORTER_PORT,),
    POSTGRESQL_EXPORTER: (POSTGRESQL_EXPORTER_PORT,),
    PROMETHEUS: (PROMETHEUS_PORT,),
    ALERTMANAGER: (ALERTMANAGER_PORT,),
}
"""On which ports each part answers; a worker has one for its metrics."""
_SOURCES, _UNPACKED = "lab-sources", "/sources"
_LEFT_OUT = frozenset({"lab/tests", "lab/dev", "lab/room", "lab/cli"})
"""No container needs these, and a ConfigMap has room for 1 MiB."""
_SECRET = "lab-runner"  # noqa: S105 - a name
_UID = 10001
_WORK_CLAIM = "scraper-data"  # the chart's own
_UNPACK = f"cp -r /app/system {_UNPACKED}/ && python -m zipfile -e /packed/lab.zip {_UNPACKED}"


def namespace(name: str, marks: Mapping[str, str]) -> Object:
    """The namespace, marked as the lab's; it takes no pod that could do harm to its node."""
    label, value = next(iter(marks.items()))
    labels = {label: value, "pod-security.kubernetes.io/enforce": "restricted"}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels, "annotations": dict(marks)},
    }


def objects(stack: Stack, relays: list[dict[str, object]]) -> list[Object]:
    """The lab's site and runner, a name for each part, and what they may connect to.

    Args:
        relays: what the runner passes on, see `lab.substrates.containers.addresses`.
    """
    token = base64.b64encode(stack.password(RUNNER).encode()).decode()
    return [
        _config_map(_SOURCES, binary={"lab.zip": _packed()}),
        _config_map(_SECRET, {"relays": json.dumps(relays)}),
        {**described("v1", "Secret", _SECRET), "data": {"token": token}},
        *(service(part) for part in PORTS),
        *policies(stack),
        _site(stack),
        _runner(stack),
    ]


def service(part: str) -> Object:
    """The name of a part, also while it is not ready: who calls it then shall see that."""
    ports = PORTS.get(part, (METRICS,))
    return {
        **described("v1", "Service", part),
        "spec": {
            "selector": {PART: part},
            "publishNotReadyAddresses": True,
            "ports": [{"name": f"p{port}", "port": port} for port in ports],
        },
    }


def claim(name: str) -> Object:
    """A small volume that outlives a pod."""
    return {
        **described("v1", "PersistentVolumeClaim", name),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "64Mi"}},
        },
    }


def near_runner() -> Object:
    """On the node of the runner, whose claim a pod shares."""
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {PART: RUNNER}},
    }
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def with_sources(pod: Object, container: Object, image: str) -> None:
    """Let a container have the lab's code beside the system's, and run from there."""
    pod.setdefault("initContainers", []).append(
        {
            **_sealed("sources", image),
            "command": ["sh", "-c", _UNPACK],
            "volumeMounts": [
                {"name": "sources", "mountPath": _UNPACKED},
                {"name": "packed", "mountPath": "/packed", "readOnly": True},
            ],
        }
    )
    pod.setdefault("volumes", []).extend(
        [
            {"name": "sources", "emptyDir": {"sizeLimit": "64Mi"}},
            {"name": "packed", "configMap": {"name": _SOURCES}},
        ]
    )
    container["workingDir"] = _UNPACKED
    container.setdefault("env", []).append({"name": "PYTHONPATH", "value": _UNPACKED})
    mount = {"name": "sources", "mountPath": _UNPACKED, "readOnly": True}
    container.setdefault("volumeMounts", []).append(mount)


def reader(image: str, of_claim: str, uid: int) -> Object:
    """A pod that has a claim of another pod, which has ended, and waits to be asked."""
    return {
        **described("v1", "Pod", "reader"),
        "spec": {
            **_pod(uid),
            "containers": [
                {
                    **_sealed("reader", image),
                    "command": ["python", "-c", "import signal; signal.pause()"],
                    "volumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
                }
            ],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": of_claim}}],
        },
    }


def job(name: str, image: str, command: list[str], label: str, lasts_s: float) -> Object:
    """A program that runs once, in a folder of its own, with the variables of a Secret of its name.

    Args:
        label: that of its pod, with the name as value.
        lasts_s: at most; then it is ended.
    """
    container = {
        **_sealed(name, image),
        "command": command,
        "workingDir": "/work",
        "envFrom": [{"secretRef": {"name": name}}],
        "volumeMounts": [
            {"name": "work", "mountPath": "/work"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in the container
        ],
    }
    volumes = [{"name": each, "emptyDir": {"sizeLimit": "512Mi"}} for each in ("work", "tmp")]
    pod = {**_pod(_UID), "restartPolicy": "Never", "containers": [container], "volumes": volumes}
    return {
        **described("batch/v1", "Job", name),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": int(lasts_s),
            "template": {"metadata": {"labels": {label: name}}, "spec": pod},
        },
    }


def plain(name: str, image: str, *command: str) -> Object:
    """A small pod that runs a command, and is known by its name."""
    return {
        **described("v1", "Pod", name, {PART: name}),
        "spec": {**_pod(_UID), "containers": [{**_sealed(name, image), "command": [*command]}]},
    }


def _site(stack: Stack) -> Object:
    """The web site that the scraper reads."""
    plan = stack.plan
    container = {
        **_sealed("site", stack.images.system),
        "args": [
            "lab.workload.league.site",
            *("--seed", str(plan.seed), "--matches", str(plan.matches)),
            *("--host", "0.0.0.0", "--port", str(HTTP)),  # noqa: S104 - in the container
            *("--page-delay-ms", str(plan.page_delay_ms)),
        ],
        "readinessProbe": _answers_at(HTTP),
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - in the container
    }
    volumes = [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}]
    return _deployment(SITE, container, volumes, stack)


def _runner(stack: Stack) -> Object:
    """Runs programs and relays; see `lab.substrates.containers.inside`."""
    container = {
        **_sealed("runner", stack.images.system),
        "args": [
            *("lab.substrates.containers.inside", "--port", str(CONTROL), "--folder", WORK),
        ],
        "env": [
            {
                "name": TOKEN,
                "valueFrom": {"secretKeyRef": {"name": _SECRET, "key": "token"}},
            },
            {
                "name": RELAYS,
                "valueFrom": {"configMapKeyRef": {"name": _SECRET, "key": "relays"}},
            },
        ],
        "readinessProbe": _answers_at(CONTROL),
        "volumeMounts": [{"name": "data", "mountPath": "/tmp"}],  # noqa: S108 - in the container
    }
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": _WORK_CLAIM}}]
    return _deployment(RUNNER, container, volumes, stack)


def _deployment(part: str, container: Object, volumes: list[Object], stack: Stack) -> Object:
    pod = {**_pod(_UID), "containers": [container], "volumes": volumes}
    with_sources(pod, container, stack.images.system)
    return {
        **described("apps/v1", "Deployment", part, {PART: part}),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {PART: part}},
            "template": {"metadata": {"labels": {PART: part}}, "spec": pod},
        },
    }


def _pod(uid: int) -> Object:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": 10,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": uid,
            "runAsGroup": uid,
            "fsGroup": uid,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _sealed(name: str, image: str) -> Object:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
    }


def _answers_at(port: int) -> Object:
    return {"httpGet": {"path": "/healthz", "port": port}, "periodSeconds": 1, "timeoutSeconds": 5}


def _config_map(
    name: str, data: Mapping[str, str] | None = None, binary: Mapping[str, bytes] | None = None
) -> Object:
    packed = {key: base64.b64encode(value).decode() for key, value in (binary or {}).items()}
    return {**described("v1", "ConfigMap", name), "data": dict(data or {}), "binaryData": packed}


def _packed() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sources(_LEFT_OUT):
            archive.writestr(name, content)
    return made.getvalue()
