"""What the chart renders to, in the words of phase 2. Helm renders on this machine."""

from __future__ import annotations

import base64
from collections import defaultdict
from typing import Any

from helm.tests.rendering import Object, RefusedValues, render

__all__ = ["RefusedValues", "render"]

_COMPONENT = "app.kubernetes.io/component"
_RUNNING = ("Deployment", "StatefulSet", "CronJob", "Job")
_LASTING = ("Deployment", "StatefulSet")
_RIGHTS = ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount")


def controllers(*options: str) -> dict[str, list[str]]:
    """The parts that run, by the kind of their object."""
    found: dict[str, list[str]] = {kind: [] for kind in _RUNNING}
    for each in render(*options).kinds(*_RUNNING):
        found[each["kind"]].append(_part(each))
    return {kind: sorted(names) for kind, names in found.items()}


def parts(*options: str) -> set[str]:
    """The parts that run."""
    return {name for names in controllers(*options).values() for name in names}


def claims(*options: str) -> dict[str, list[str]]:
    """The claims of each part."""
    found: dict[str, list[str]] = {}
    for each in render(*options).kinds(*_RUNNING):
        templates = each["spec"].get("volumeClaimTemplates", ())
        made = [str(one["metadata"]["name"]) for one in templates]
        volumes = (one.get("persistentVolumeClaim") for one in _pod(each).get("volumes", ()))
        found[_part(each)] = made + [str(one["claimName"]) for one in volumes if one]
    return found


def retention(*options: str) -> dict[str, str]:
    """What becomes of the claims of a StatefulSet that is removed."""
    return {
        _part(each): str(each["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"])
        for each in render(*options).kinds("StatefulSet")
    }


def writable_roots(*options: str) -> list[str]:
    """The containers that may write to the files of their image."""
    return [
        name
        for name, container in render(*options).containers()
        if not container.get("securityContext", {}).get("readOnlyRootFilesystem")
    ]


def selected(*options: str) -> dict[str, list[str]]:
    """The parts whose pods have the labels that a Service asks for, by the Service."""
    chart = render(*options)
    labels = {name: metadata.get("labels", {}) for name, metadata, _ in chart.pods()}
    found = {}
    for each in chart.kinds("Service"):
        asked = each["spec"]["selector"].items()
        found[str(each["metadata"]["name"])] = sorted(
            name for name, given in labels.items() if asked <= given.items()
        )
    return found


def grace(part: str, *options: str) -> int:
    """How long a pod of a part has to end, in seconds."""
    (pod,) = (_pod(each) for each in render(*options).kinds(*_LASTING) if _part(each) == part)
    return int(pod["terminationGracePeriodSeconds"])


def time_limits(*options: str) -> tuple[int, int]:
    """A worker's soft and hard limit of a task, in seconds."""
    worker = render(*options).container("Deployment", "celery-worker")
    given = {each["name"]: each.get("value", "") for each in worker["env"]}
    soft, hard = (given[f"MISSING_TABLE_{kind}_TIME_LIMIT_S"] for kind in ("SOFT", "HARD"))
    return int(soft), int(hard)


def probes(*options: str) -> dict[str, dict[str, str]]:
    """What each lasting part is asked, by the kind of probe, in words."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for each in render(*options).kinds(*_LASTING):
        (container,) = _pod(each)["containers"]
        for kind in ("startup", "readiness", "liveness"):
            if probe := container.get(f"{kind}Probe"):
                found[_part(each)][kind] = _in_words(probe)
    return dict(found)


def rights(*options: str) -> dict[str, Any]:
    """How many pods there are, and what they may do that they need not."""
    chart = render(*options)
    pods = [(name, spec) for name, _, spec in chart.pods()]
    return {
        "pods": len(pods),
        "pods that may run as root": [
            name for name, spec in pods if not spec.get("securityContext", {}).get("runAsNonRoot")
        ],
        "pods with a token of the cluster": [
            name for name, spec in pods if spec.get("automountServiceAccountToken") is not False
        ],
        "roles and bindings": [each["metadata"]["name"] for each in chart.kinds(*_RIGHTS)],
    }


def secret(*options: str) -> dict[str, str]:
    """The passwords that the chart makes; none if it makes no Secret for them."""
    found = [
        each["data"]
        for each in render(*options).kinds("Secret")
        if each["metadata"]["name"] == "messaging-platform-secrets"
    ]
    return {key: base64.b64decode(value).decode() for data in found for key, value in data.items()}


def _in_words(probe: Object) -> str:
    """A probe. Pure."""
    if "exec" in probe:
        asked = " ".join(map(str, probe["exec"]["command"]))
    elif "httpGet" in probe:
        asked = f"GET {probe['httpGet']['path']}"
    else:
        asked = f"a connection to the port {probe['tcpSocket']['port']}"
    times = probe.get("failureThreshold", 3)
    return f"{asked}, every {probe.get('periodSeconds', 10)} s, {times} times"


def _part(each: Object) -> str:
    return str(each["metadata"]["labels"][_COMPONENT])


def _pod(each: Object) -> Object:
    """The specification of the pods that an object makes."""
    spec = each["spec"].get("jobTemplate", each)["spec"]
    return dict(spec["template"]["spec"])
