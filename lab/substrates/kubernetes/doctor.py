"""What a cluster has and lacks for a lab.

It looks only, but for network policies: no question tells whether they are enforced, so that is
tried in a namespace of its own, which is gone afterwards.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.errors import CannotRun, SubstrateError
from lab.substrates.kubernetes import chart, policy_trial
from lab.substrates.kubernetes.kubectl import ask, context, kubectl, need
from lab.substrates.kubernetes.policy_trial import Enforced
from lab.substrates.provider import GOOD, MISSING, WARNING, Finding

_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_RIGHTS = (
    ("create", "namespaces"),
    ("delete", "namespaces"),
    ("create", "deployments.apps"),
    ("create", "statefulsets.apps"),
    ("patch", "deployments.apps/scale"),
    ("create", "networkpolicies.networking.k8s.io"),
    ("create", "secrets"),
    ("create", "persistentvolumeclaims"),
    ("delete", "pods"),
    ("create", "pods/exec"),
    ("create", "pods/portforward"),
    ("get", "pods/log"),
)
_ENFORCERS = ("calico", "cilium", "kube-router", "antrea", "weave", "anetd", "canal")
"""Parts of names of pods that enforce network policies."""


def examine(place: Path) -> list[Finding]:
    """The programs, the cluster, and what of it a lab uses.

    Args:
        place: where labs on a cluster keep their locks.
    """
    found = [_kubectl(), _helm()]
    try:
        name = context()
        found.append(Finding("context", GOOD, name))
    except CannotRun as error:
        cure = "--context NAME; `kubectl config get-contexts` lists them"
        return [*found, Finding("context", MISSING, str(error), cure)]
    try:
        version = need()
    except CannotRun as error:
        cure = "start the cluster, or name another context"
        return [*found, Finding("cluster", MISSING, str(error), cure)]
    found.append(Finding("cluster", GOOD, version))
    for look in (_storage, _metrics, _rights):
        try:
            found.append(look())
        except SubstrateError as error:
            found.append(Finding(look.__name__.strip("_"), WARNING, str(error)))
    return [*found, _policies(version, place)]


def _kubectl() -> Finding:
    path = shutil.which("kubectl")
    cure = "install it: https://kubernetes.io/docs/tasks/tools"
    return Finding("kubectl", GOOD, path) if path else Finding("kubectl", MISSING, "none", cure)


def _helm() -> Finding:
    try:
        return Finding("helm", GOOD, chart.helm())
    except CannotRun:
        return Finding("helm", MISSING, "none", ".venv/bin/python -m lab.dev.helm")


def _storage() -> Finding:
    classes = ask("storageclasses")["items"]
    for each in classes:
        about = each["metadata"]
        if about.get("annotations", {}).get(_DEFAULT) == "true":
            return Finding("storage", GOOD, f"default class {about['name']}")
    cure = "mark one as the default; claims stay pending without"
    names = ", ".join(each["metadata"]["name"] for each in classes) or "no class at all"
    return Finding("storage", MISSING, f"no default class ({names})", cure)


def _metrics() -> Finding:
    try:
        kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1")
    except SubstrateError:
        cure = "install metrics-server, for autoscaling; the lab does without"
        return Finding("metrics", WARNING, "no metrics-server", cure)
    return Finding("metrics", GOOD, "metrics.k8s.io answers")


def _rights() -> Finding:
    refused = [f"{verb} {what}" for verb, what in _RIGHTS if not _may(verb, what)]
    if not refused:
        return Finding("rights", GOOD, f"all {len(_RIGHTS)} that a lab needs")
    cure = "ask for them: a lab makes a namespace of its own, and all in it"
    return Finding("rights", MISSING, f"refused: {', '.join(refused)}", cure)


def _may(verb: str, what: str) -> bool:
    try:
        return kubectl("auth", "can-i", verb, what, "--all-namespaces").strip() == "yes"
    except SubstrateError:  # it answers `no` with a status
        return False


def _policies(version: str, place: Path) -> Finding:
    """Whether network policies are enforced; it is tried."""
    enforced, seen = policy_trial.tried(place)
    by = enforcer(version, _system_pods())
    return policies_finding(enforced, seen, by)


def policies_finding(enforced: Enforced, seen: str, by: str) -> Finding:
    """What a trial came to, and what is known to enforce policies there, if anything. Pure."""
    what = "network policies"
    match enforced:
        case Enforced.YES:
            return Finding(what, GOOD, f"{enforced}{f' by {by}' if by else ''}; {seen}")
        case Enforced.NO:
            cure = "a lab runs all the same, and the chart's policies keep nothing out; use a "
            return Finding(what, WARNING, f"{enforced}: {seen}", f"{cure}network plug-in that does")
        case Enforced.UNKNOWN:
            hint = f" ({by} is there, which enforces them as a rule)" if by else ""
            cure = "a lab runs all the same; docs/guides/helm.md says how to try it by hand"
            return Finding(what, WARNING, f"{enforced}{hint}: {seen}", cure)


def enforcer(version: str, pods: Iterable[str]) -> str:
    """What is known to enforce network policies, by version and pods of a cluster; or nothing."""
    for each in pods:
        for known in _ENFORCERS:
            if known in each:
                return known
    return "K3s" if "+k3s" in version else ""


def _system_pods() -> list[str]:
    try:
        found = ask("pods", "--namespace", "kube-system")["items"]
    except SubstrateError:
        return []
    return [str(each["metadata"]["name"]) for each in found]
