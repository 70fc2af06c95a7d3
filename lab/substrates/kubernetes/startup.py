"""Waits until parts do their work, and sees early that one never will."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from lab.errors import NotWithin, SubstrateError
from lab.substrates.containers.answers import (
    broker_answers,
    database_answers,
    results_answers,
)
from lab.substrates.containers.images import variable
from lab.substrates.containers.stack import API, BROKER, DATABASE, HTTP, RESULTS, SITE, Stack
from lab.substrates.kubernetes.kubectl import ask
from lab.substrates.kubernetes.objects import PART
from lab.substrates.kubernetes.part import Part, is_ending, is_ready
from lab.substrates.local.roles import is_ok
from lab.wait import eventually

UP_WITHIN_S = 420.0
ANSWERS_WITHIN_S = 120.0
DEATHS_MAX = 5
"""One that ended so often while it started is given up; early on, it may miss what comes up too."""
_NO_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"})
_NEVER = frozenset({"CreateContainerConfigError", "CreateContainerError"})


def wait_until_ready(
    namespace: str,
    parts: Collection[str],
    up: Callable[[str, float], None] = lambda name, seconds: None,
) -> None:
    """Return once each of these parts has a pod that is ready.

    Args:
        up: called as each is: its name, seconds since the beginning.

    Raises:
        SubstrateError: one cannot start, or does not in time.
    """
    begun, seen = time.monotonic(), set[str]()
    last: list[str] = []

    def look() -> bool:
        nonlocal last
        pods = ask("pods", "--namespace", namespace)["items"]
        for pod in pods:
            name = part_of(pod)
            why = hopeless(pod) if name in parts or not name else ""
            if why:
                raise SubstrateError(why)
            if name in parts and name not in seen and not is_ending(pod) and is_ready(pod):
                seen.add(name)
                up(name, time.monotonic() - begun)
        last = [f"{name} ({states(pods, name)})" for name in sorted({*parts} - seen)]
        return not last

    try:
        eventually(
            "every part to be ready",
            look,
            within_s=UP_WITHIN_S,
            every_s=0.5,
        )
    except NotWithin as error:
        raise SubstrateError(
            f"not ready after {UP_WITHIN_S:g} s: {', '.join(last)}; look at `kubectl describe "
            f"pods --namespace {namespace}`"
        ) from error


def wait_until_it_answers(stack: Stack, part: Part) -> None:
    """Beyond being ready: it does its work, and this machine reaches it. Others are ready anyway.

    Raises:
        SubstrateError: it does not answer in time; the text ends with its last output.
    """
    looks: dict[str, Callable[[], bool]] = {
        BROKER: partial(broker_answers, stack),
        RESULTS: partial(results_answers, stack),
        DATABASE: partial(database_answers, stack),
        API: lambda: is_ok(stack.ports[API, HTTP], "/readyz"),
        SITE: lambda: is_ok(stack.ports[SITE, HTTP], "/healthz"),
    }
    if part.name not in looks:
        return
    try:
        eventually(
            f"{part.name} to answer",
            looks[part.name],
            within_s=ANSWERS_WITHIN_S,
            every_s=0.25,
            tolerate=(Exception,),  # whatever it is, the deadline decides
        )
    except NotWithin as error:
        raise SubstrateError(f"{error}; its last output:\n{part.last_words()}") from error


def part_of(pod: dict[str, Any]) -> str:
    """The part that a pod is; empty if it is none."""
    return str(pod["metadata"].get("labels", {}).get(PART, ""))


def hopeless(pod: dict[str, Any]) -> str:
    """Why a pod will never be ready; empty if it may yet. Pure."""
    name = part_of(pod) or pod["metadata"]["name"]
    status = pod["status"]
    for each in (*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])):
        waiting = each["state"].get("waiting", {})
        reason, said = waiting.get("reason", ""), waiting.get("message", "")
        if reason in _NO_IMAGE:
            return (
                f"{name}: the cluster has no image {each['image']} and cannot pull it ({reason}: "
                f"{said}); bring it there, or name another one in {variable('system')} or in the "
                "variable of its part (docs/guides/kubernetes.md)"
            )
        if reason in _NEVER:
            return f"{name}: {reason}: {said}"
        if each.get("restartCount", 0) > DEATHS_MAX:
            return f"{name} ended {each['restartCount']} times while it started"
    return ""


def states(pods: list[dict[str, Any]], name: str) -> str:
    """What a part is doing, for people. Pure."""
    found = []
    for pod in pods:
        if part_of(pod) != name:
            continue
        status = pod["status"]
        reasons = [
            reason
            for each in (
                *status.get("initContainerStatuses", []),
                *status.get("containerStatuses", []),
            )
            if (reason := each["state"].get("waiting", {}).get("reason"))
        ]
        unschedulable = [
            each["message"]
            for each in status.get("conditions", [])
            if each["type"] == "PodScheduled" and each["status"] == "False"
        ]
        found.append(", ".join([status["phase"], *reasons, *unschedulable]))
    return "; ".join(found) or "no pod"
