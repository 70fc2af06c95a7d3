"""Whether a cluster enforces network policies: it is tried, by two small pods and two policies.

A pod connects to another one; then a policy denies it, and then one more allows it. Only where the
second try fails, and the first and the third do not, a policy is known to do what it says.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from lab.errors import LabError, NotWithin, SubstrateError
from lab.substrates.containers.identity import identity, marks
from lab.substrates.containers.images import SYSTEM, names
from lab.substrates.containers.leftovers import none_left
from lab.substrates.kubernetes import leftovers, own, startup
from lab.substrates.kubernetes.kubectl import ask, kubectl
from lab.substrates.kubernetes.objects import PART, Object, described
from lab.substrates.kubernetes.part import is_ready
from lab.substrates.local import keeper
from lab.substrates.local.instance import Instance
from lab.wait import eventually

PORT = 8000
PODS_READY_S, HOLDS_WITHIN_S, TRY_S = 90.0, 20.0, 2
CALLER, CALLED = "caller", "called"
_SERVE = (
    f"import socketserver as s; s.TCPServer(('', {PORT}), s.BaseRequestHandler).serve_forever()"
)
_WAIT = "import signal; signal.pause()"
_TRY = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).close()
    print("open")
except OSError:
    print("closed")
"""


class Enforced(StrEnum):
    """What came of it."""

    YES = "enforced"
    NO = "not enforced"
    UNKNOWN = "could not be tried"


def tried(place: Path) -> tuple[Enforced, str]:
    """Try it in a namespace of its own, which is gone afterwards; says what was seen.

    Args:
        place: where a lab of this machine keeps its lock, so that no other one sweeps this.
    """
    instance = Instance.named(f"policy-{secrets.token_hex(4)}", place)
    try:
        with keeper.in_process(instance), none_left(instance, leftovers):
            return _tried(instance)
    except LabError as error:
        return Enforced.UNKNOWN, str(error)


def judged(*, first: bool, denied: bool, allowed: bool) -> tuple[Enforced, str]:
    """What three tries come to: without a policy, with one that denies, with one that allows.

    Args:
        first, denied, allowed: whether the pod could connect. Pure.
    """
    if not first:
        return Enforced.UNKNOWN, "one pod cannot connect to another one without any policy"
    if denied:
        return Enforced.NO, "a pod connected although a policy denied it"
    if not allowed:
        return Enforced.UNKNOWN, "a pod could not connect although a policy allowed it"
    return Enforced.YES, "tried: a pod could not connect while a policy denied it, and could again"


def policy(name: str, callers: list[Object]) -> Object:
    """A policy of the pod that is called: only these may connect. Pure."""
    return {
        **described("networking.k8s.io/v1", "NetworkPolicy", name),
        "spec": {
            "podSelector": {"matchLabels": {PART: CALLED}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": callers}] if callers else [],
        },
    }


def _tried(instance: Instance) -> tuple[Enforced, str]:
    namespace, image = identity(instance), names()[SYSTEM]
    _make(own.namespace(namespace, marks(instance)))
    inside = ("--namespace", namespace)
    for each in (
        own.plain(CALLED, image, "python", "-c", _SERVE),
        own.plain(CALLER, image, "python", "-c", _WAIT),
    ):
        _make(each, *inside)
    address = _address(namespace)

    def connects() -> bool:
        words = ("python", "-c", _TRY, address, str(PORT), str(TRY_S))
        return kubectl("exec", CALLER, *inside, "--", *words).strip() == "open"

    first = _comes_to(connects, wanted=True)
    _make(policy("deny", []), *inside)
    denied = _comes_to(connects, wanted=False)
    _make(policy("allow", [{"podSelector": {"matchLabels": {PART: CALLER}}}]), *inside)
    allowed = _comes_to(connects, wanted=True)
    return judged(first=first, denied=denied, allowed=allowed)


def _comes_to(connects: Callable[[], bool], *, wanted: bool) -> bool:
    """Whether it connects: as is wanted, or as it still is when the time for it is over."""
    try:
        eventually("it", lambda: connects() is wanted, within_s=HOLDS_WITHIN_S, every_s=0.5)
    except NotWithin:
        return not wanted
    return wanted


def _address(namespace: str) -> str:
    """Where the pod that is called answers, once both are ready."""
    found: dict[str, str] = {}

    def look() -> bool:
        pods = ask("pods", "--namespace", namespace)["items"]
        for pod in pods:
            if why := startup.hopeless(pod):
                raise SubstrateError(why)
            if is_ready(pod):
                found[startup.part_of(pod)] = pod["status"]["podIP"]
        return len(found) == len((CALLER, CALLED))

    try:
        eventually("two small pods to be ready", look, within_s=PODS_READY_S, every_s=0.5)
    except NotWithin as error:
        raise SubstrateError(str(error)) from error
    return found[CALLED]


def _make(made: Object, *inside: str) -> None:
    kubectl("create", *inside, "--filename=-", stdin=json.dumps(made).encode())
