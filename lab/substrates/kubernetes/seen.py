"""How a lab on a cluster is, seen from outside: by its controllers and pods."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from lab.substrates.containers.identity import identity
from lab.substrates.kubernetes.fitted import Controller, controller
from lab.substrates.kubernetes.kubectl import ask
from lab.substrates.kubernetes.objects import PART, Object
from lab.substrates.kubernetes.part import Part, is_ending, is_running
from lab.substrates.local.instance import FAILED, UP, Instance
from lab.substrates.protocol import Log
from lab.substrates.provider import Line, Status

_ALL = "deployments,statefulsets,pods"


def status(instance: Instance) -> Status:
    """Look at a lab from outside.

    Raises:
        SubstrateError: the cluster does not answer.
    """
    state = instance.read()
    if state is None or not instance.is_alive():
        return Status(instance.name, "none", FAILED if state else "", [])
    found = lines(_objects(instance), state.paused)
    healthy = state.phase == UP and bool(found) and all(line.state == "up" for line in found)
    verdict = "up" if healthy else "degraded"
    return Status(instance.name, verdict, state.phase, found, state.breaches)


def lines(objects: Iterable[Object], paused: Collection[str]) -> list[Line]:
    """One line for each part that there is to be. Pure."""
    known = [*objects]
    pods = [each for each in known if each["kind"] == "Pod"]
    return [
        _line(part.part, pods, paused)
        for part in sorted(_controllers(known), key=lambda part: part.part)
    ]


def logs(instance: Instance) -> list[Log]:
    """What each part has written so far."""
    namespace = identity(instance)
    return [
        Log(part.part, Part(namespace, part, instance.logs / f"{part.part}.log").log)
        for part in _controllers(_objects(instance))
    ]


def _objects(instance: Instance) -> list[Object]:
    found = ask(_ALL, "--namespace", identity(instance), "--selector", PART)
    return list(found["items"])


def _controllers(objects: Iterable[Object]) -> list[Controller]:
    return [found for each in objects if (found := controller(each)) is not None]


def _line(part: str, pods: Iterable[dict[str, Any]], paused: Collection[str]) -> Line:
    for pod in pods:
        mine = pod["metadata"]["labels"][PART] == part
        if mine and is_running(pod) and not is_ending(pod):
            since = datetime.fromisoformat(pod["status"]["startTime"])
            state = "paused" if part in paused else "up"
            return Line(part, state, 0, [], since.isoformat(timespec="seconds"), 0)
    return Line(part, "gone", 0, [], "", 0)
