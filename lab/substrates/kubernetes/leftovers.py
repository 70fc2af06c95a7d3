"""What a lab makes on a cluster is in one namespace of its own (see `containers.leftovers`).

Claims go with their namespace, and volumes with their claims, where the storage class says so.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from pathlib import Path

from lab.errors import SubstrateError
from lab.substrates.containers.identity import (
    FOLDER_LABEL,
    LABEL,
    MACHINE_LABEL,
    machine,
)
from lab.substrates.kubernetes.kubectl import ask, command, kubectl
from lab.substrates.local.instance import Instance

GONE_WITHIN_S = 240
PODS_GONE_WITHIN_S = 60
_CONTROLLERS = "deployments,statefulsets,replicasets"


def remove(lab: str) -> None:
    """Delete the namespace of a lab, and wait until it is gone. Does nothing if there is none.

    Raises:
        SubstrateError: something in it resists.
    """
    if not _is_there(lab):
        return
    for each in _deletion(lab):
        with suppress(SubstrateError):  # what counts is what is left
            kubectl(*each)
    if _is_there(lab):
        kubectl(
            *("wait", "--for=delete", f"namespace/{lab}", f"--timeout={GONE_WITHIN_S}s"),
            within_s=GONE_WITHIN_S + 10,
        )


def _is_there(lab: str) -> bool:
    found = kubectl("get", "namespace", lab, "--ignore-not-found", "--output=name")
    return bool(found.strip())


def sweep() -> list[str]:
    """Delete what labs of this machine have left that are dead; return their names."""
    dead = []
    for each in ask("namespaces", "--selector", LABEL)["items"]:
        marks = each["metadata"].get("annotations", {})
        if marks.get(MACHINE_LABEL) != machine():
            continue
        place = Path(marks[FOLDER_LABEL])
        if not Instance(place.name, place).is_alive():
            remove(str(each["metadata"]["name"]))
            dead.append(place.name)
    return sorted(dead)


def _deletion(lab: str) -> list[tuple[str, ...]]:
    """First what would bring new pods, then the pods, at once, and then the namespace.

    If the namespace went first, each pod would have all the time to end that the chart gives it: a
    grace that is shortened later does not reach a container that is asked to end already.
    """
    inside = ("--all", "--namespace", lab)
    return [
        ("delete", _CONTROLLERS, *inside, "--cascade=orphan", "--wait=false"),
        ("delete", "pods", *inside, "--grace-period=1", f"--timeout={PODS_GONE_WITHIN_S}s"),
        ("delete", "namespace", lab, "--ignore-not-found", "--wait=false"),
    ]


def removal(lab: str) -> str:
    """The lines of a shell that remove all of a lab."""
    return "\n".join(shlex.join(command(*each)) for each in _deletion(lab))
