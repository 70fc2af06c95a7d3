"""Which connections a lab adds to those that the chart's network policies allow. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from lab.substrates.containers.stack import RUNNER, Stack
from lab.substrates.kubernetes.objects import PART, Object, described
from lab.substrates.plan import Role

_COMPONENT = "app.kubernetes.io/component"
_SYSTEM = {"app.kubernetes.io/name": "messaging-platform"}


def policies(stack: Stack) -> Iterator[Object]:
    """Everything may call the runner, which relays, and be called by it; the rest is the chart's.

    The site and the runner themselves are under no policy.
    """
    runner = [{"podSelector": {"matchLabels": {PART: RUNNER}}}]
    yield _policy("lab-runner", {"matchLabels": _SYSTEM}, runner, runner)
    if stack.plan.settings.get(Role.WORKER, {}).get("MISSING_TABLE_SINK") == "database":
        worker, database = "celery-worker", "database"
        ends = {
            "matchExpressions": [
                {"key": _COMPONENT, "operator": "In", "values": [worker, database]}
            ]
        }
        yield _policy("lab-database", ends, [_component(worker)], [_component(database)])


def of_job(name: str, label: str) -> Object:
    """The pods of a job may connect to everything of the system."""
    return {
        **described("networking.k8s.io/v1", "NetworkPolicy", name),
        "spec": {
            "podSelector": {"matchLabels": _SYSTEM},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {label: name}}}]}],
        },
    }


def _component(name: str) -> Object:
    return {"podSelector": {"matchLabels": {_COMPONENT: name}}}


def _policy(name: str, of: Object, callers: list[Object], called: list[Object]) -> Object:
    return {
        **described("networking.k8s.io/v1", "NetworkPolicy", name),
        "spec": {
            "podSelector": of,
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": callers}],
            "egress": [{"to": called}],
        },
    }
