"""Asks the driver and the cluster, in the namespace of the lab that an experiment runs on.

The driver acts on the current context of kubectl and the namespace `default` unless it is told
otherwise, and on every pod there unless it is told which. So it is always told.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import chaosk8s
from chaosk8s.deployment.actions import rollout_deployment, scale_deployment
from chaosk8s.pod.actions import exec_in_pods, terminate_pods
from chaoslib.exceptions import ActivityFailed
from kubernetes import client

from chaos.cluster.pods import Pod
from chaos.running import current
from lab.errors import CannotRun
from lab.substrates.on_cluster import OnACluster, Place

WITHIN_S = 30.0
"""For one answer of the cluster."""
BEFORE = "missing-table.before"
"""The annotation of a policy that was changed: what it was."""


def place() -> Place:
    """Where the lab is.

    Raises:
        CannotRun: it is on no cluster.
    """
    substrate = current().lab.substrate
    if not isinstance(substrate, OnACluster):
        raise CannotRun(f"this needs a lab on a cluster, and {substrate.name!r} is none")
    return substrate.where()


def pods(parts: Sequence[str]) -> list[Pod]:
    """Every pod of these parts, those that are ending among them."""
    where = place()
    core = client.CoreV1Api(_api(where))
    found = core.list_namespaced_pod(
        where.namespace, label_selector=_selector(where, parts), _request_timeout=WITHIN_S
    )
    claims = core.list_namespaced_persistent_volume_claim(
        where.namespace, _request_timeout=WITHIN_S
    )
    uids = {each.metadata.name: each.metadata.uid for each in claims.items}
    return [_pod(each, where, uids) for each in found.items]


def execute(pod: Pod, *command: str) -> tuple[int, str]:
    """Run a command in the container of a pod; its exit code, and what it printed.

    Raises:
        ActivityFailed: it ran nowhere, as it does without a word where the container has another
            name.
    """
    where = place()
    done = exec_in_pods(
        cmd=list(command),
        label_selector=_selector(where, [pod.part]),
        name_pattern=f"^{pod.name}$",
        container_name=pod.container,
        all=True,
        ns=where.namespace,
        request_timeout=int(WITHIN_S),
        secrets=_secrets(where),
    )
    if len(done) != 1:
        raise ActivityFailed(f"the command ran in {len(done)} pods, not in {pod.name}")
    return int(done[0]["exit_code"]), str(done[0]["stdout"])


def terminate(wanted: Sequence[Pod], grace_s: int) -> None:
    """Delete these pods.

    Raises:
        ActivityFailed: others were deleted, or none.
    """
    where = place()
    deleted = terminate_pods(
        label_selector=_selector(where, [each.part for each in wanted]),
        all=True,
        grace_period=grace_s,
        ns=where.namespace,
        secrets=_secrets(where),
    )
    if missed := {each.name for each in wanted} - set(deleted):
        raise ActivityFailed(f"not killed: {', '.join(sorted(missed))}")


def deployments(parts: Sequence[str]) -> dict[str, Any]:
    """The Deployment of each part.

    Raises:
        ActivityFailed: one has none.
    """
    where = place()
    found = client.AppsV1Api(_api(where)).list_namespaced_deployment(
        where.namespace, label_selector=_selector(where, parts), _request_timeout=WITHIN_S
    )
    by_part = {each.metadata.labels[where.label]: each for each in found.items}
    if missing := [part for part in parts if part not in by_part]:
        raise ActivityFailed(f"no Deployment of {', '.join(missing)}")
    return by_part


def scale(name: str, count: int) -> None:
    """Tell a Deployment how many pods to have."""
    where = place()
    scale_deployment(name, count, ns=where.namespace, secrets=_secrets(where))


def roll_out(name: str) -> None:
    """Tell a Deployment to replace its pods."""
    where = place()
    rollout_deployment(name, ns=where.namespace, secrets=_secrets(where))


def stopped() -> dict[str, str]:
    """The Deployments of the lab that are to have no pod, by part."""
    where = place()
    found = client.AppsV1Api(_api(where)).list_namespaced_deployment(
        where.namespace, label_selector=where.label, _request_timeout=WITHIN_S
    )
    return {
        each.metadata.labels[where.label]: each.metadata.name
        for each in found.items
        if each.spec.replicas == 0
    }


def policy(name: str) -> dict[str, Any]:
    """What a network policy says."""
    where, api = place(), _api(place())
    found = client.NetworkingV1Api(api).read_namespaced_network_policy(
        name, where.namespace, _request_timeout=WITHIN_S
    )
    spec: dict[str, Any] = api.sanitize_for_serialization(found.spec)
    return spec


def change_policy(name: str, spec: dict[str, Any], before: dict[str, Any]) -> None:
    """Replace what a policy says in one step, and leave there what it said before.

    The driver can only remove one and make another: in between no policy holds, or none allows.
    """
    _patch(name, spec, json.dumps(before))


def restore_policies() -> list[str]:
    """Let every policy that was changed say again what it did; their names."""
    where = place()
    found = client.NetworkingV1Api(_api(where)).list_namespaced_network_policy(
        where.namespace, _request_timeout=WITHIN_S
    )
    restored = []
    for each in found.items:
        if before := (each.metadata.annotations or {}).get(BEFORE):
            _patch(each.metadata.name, json.loads(before), None)
            restored.append(str(each.metadata.name))
    return restored


def _patch(name: str, spec: dict[str, Any], before: str | None) -> None:
    where = place()
    client.NetworkingV1Api(_api(where)).patch_namespaced_network_policy(
        name,
        where.namespace,
        {"metadata": {"annotations": {BEFORE: before}}, "spec": spec},
        _request_timeout=WITHIN_S,
    )


def _pod(found: Any, where: Place, claims: dict[str, str]) -> Pod:
    volumes = [each.persistent_volume_claim for each in found.spec.volumes or []]
    names = [each.claim_name for each in volumes if each is not None]
    ready = any(
        each.type == "Ready" and each.status == "True" for each in found.status.conditions or []
    )
    return Pod(
        found.metadata.labels[where.label],
        found.metadata.name,
        found.metadata.uid,
        found.spec.containers[0].name,
        ready,
        found.metadata.deletion_timestamp is not None,
        {name: claims.get(name, "none") for name in names},
    )


def _selector(where: Place, parts: Sequence[str]) -> str:
    if not parts:
        raise ActivityFailed("no part was named, and without one all pods would be meant")
    return f"{where.label} in ({','.join(parts)})"


def _secrets(where: Place) -> dict[str, str]:
    return {"KUBERNETES_CONTEXT": where.context}


def _api(where: Place) -> Any:
    return chaosk8s.create_k8s_api_client(_secrets(where))
