"""What an experiment does by the cluster's own tools. Each looks whether it was done."""

from __future__ import annotations

import json
from typing import Any

from chaoslib.exceptions import ActivityFailed

from chaos.cluster import driver, policies, reaching
from chaos.cluster.looking import within
from chaos.cluster.pods import Pod, replaced, standing
from chaos.running import current
from lab.errors import CannotRun
from lab.substrates.abilities import Controllable
from system.contract.topology import PROCESS_QUEUE

__all__ = ["cut_by_policy", "kill_pods", "mend_cluster", "mend_policies", "roll_out", "scale_to"]
BACK_WITHIN_S = 180.0
IN_HAND_WITHIN_S = 20.0
CLOSED_WITHIN_S = 30.0
GRACE_S = 1
"""The shortest that leaves a pod on record until its processes have ended: of a StatefulSet there
are never two at once."""
_FREEZE = "kill -s STOP -- -1"


def kill_pods(parts: list[str], mid_task: bool = False) -> dict[str, Any]:
    """Kill the pods of these parts, as a crash does, and wait until others took their places.

    Kubernetes asks a pod to end before it kills it, and a worker that is asked finishes its work.
    So its processes are stopped where they are first, by a signal that none can catch.

    Args:
        mid_task: the broker must have given out messages that are not acknowledged when it happens.
    """
    before = reaching.need_standing(parts)
    for pod in before.values():
        code, _ = driver.execute(pod, "sh", "-c", _FREEZE)
        if code != 0:
            raise ActivityFailed(f"{pod.name} could not be stopped: exit code {code}")
    said: dict[str, Any] = {"killed": [pod.name for pod in before.values()]}
    if mid_task:
        said["in hand"] = within(IN_HAND_WITHIN_S, "a message in a worker's hand", _in_hand)
    driver.terminate([*before.values()], GRACE_S)
    after = _replaced(before)
    claims = sorted(name for pod in after.values() for name in pod.claims)
    return {
        **said,
        "uids before": [pod.uid for pod in before.values()],
        "uids after": [pod.uid for pod in after.values()],
        "with the same claims": ", ".join(claims) or "it has none",
    }


def roll_out(parts: list[str]) -> dict[str, Any]:
    """Replace the pods of these parts in order, one part after the other, as an upgrade does."""
    said = {}
    for part in parts:
        before = reaching.need_standing([part])
        driver.roll_out(driver.deployments([part])[part].metadata.name)
        after = _replaced(before)
        said[part] = f"{before[part].name} became {after[part].name}"
    return said


def scale_to(parts: list[str], count: int) -> dict[str, Any]:
    """Let the Deployments of these parts have so many pods, and wait until they do."""
    if count not in (0, 1):
        raise CannotRun("a part of a lab has one pod, or none")
    for made in driver.deployments(parts).values():
        driver.scale(made.metadata.name, count)

    def done() -> bool:
        found = driver.pods(parts)
        return not found if count == 0 else len(standing(found, parts)) == len(parts)

    within(BACK_WITHIN_S, f"{', '.join(parts)} to have {count} pods each", done)
    return {"scaled": parts, "pods of each": str(count)}


def cut_by_policy(
    parts: list[str], policy: str, component: str, address: str, beside: str, user: str
) -> dict[str, Any]:
    """Let these parts no longer connect to a component, by the policy that allows it.

    A connection that is open outlives a policy, so the broker is told to close those of the user.
    Then it is tried from within the pods; and that another address is still open, for a pod that
    can connect to nothing would show nothing.

    Args:
        policy: the name of the policy that allows the connections.
        component: the chart's name of what is called.
        address: where that is.
        beside: another address that the pods may connect to.
        user: as whom they log in to the broker.
    """
    pods = reaching.callers(parts)
    allowed = driver.policy(policy)
    changed, rules = policies.without(allowed, component)
    if not rules:
        raise ActivityFailed(f"the policy {policy} allows no connection to {component}")
    for pod in pods:
        if (answer := reaching.tried(pod, address)) != reaching.OPEN:
            raise ActivityFailed(f"{pod.name} to {address} was {answer} before it was cut")
    driver.change_policy(policy, changed, allowed)
    seen = [_wait_until_closed(pod, address) for pod in pods]
    _broker("close_all_user_connections", user, "the lab cuts this link")
    if wrong := [pod.name for pod in pods if reaching.tried(pod, beside) != reaching.OPEN]:
        raise ActivityFailed(f"{', '.join(wrong)} cannot connect to {beside} either")
    return {
        "rules taken out": rules,
        "to": address,
        "tried from the pods": seen,
        "still open": beside,
    }


def mend_policies(parts: list[str], address: str) -> dict[str, Any]:
    """Let the policies say what they did before, and wait until the pods connect again."""
    restored = driver.restore_policies()
    if not restored:
        raise ActivityFailed("no policy was changed, so there is nothing to mend")
    for pod in reaching.callers(parts):
        _wait_until_open(pod, address)
    return {"restored": restored, "open again": address}


def mend_cluster() -> dict[str, Any]:
    """For rollbacks: restore the policies that were changed, start the parts that have no pod."""
    policies_ = driver.restore_policies()
    stopped = driver.stopped()
    for name in stopped.values():
        driver.scale(name, 1)
    parts = [*stopped]
    if parts:
        within(
            BACK_WITHIN_S,
            f"{', '.join(parts)} to be back",
            lambda: len(standing(driver.pods(parts), parts)) == len(parts),
        )
    return {"mended": ", ".join([*policies_, *parts]) or "nothing was left"}


def _replaced(before: dict[str, Pod]) -> dict[str, Pod]:
    def look() -> dict[str, Pod] | None:
        after = replaced(before, driver.pods([*before]))
        return after if len(after) == len(before) else None

    after = within(BACK_WITHIN_S, f"others in the place of {', '.join(before)}", look)
    return after or {}


def _wait_until_closed(pod: Pod, address: str) -> str:
    """What was answered when it was."""

    def look() -> str:
        answer = reaching.tried(pod, address)
        return "" if answer == reaching.OPEN else f"{pod.part}: {answer}"

    return within(CLOSED_WITHIN_S, f"{pod.name} not to reach {address}", look)


def _wait_until_open(pod: Pod, address: str) -> None:
    def look() -> bool:
        return reaching.tried(pod, address) == reaching.OPEN

    within(CLOSED_WITHIN_S, f"{pod.name} to reach {address}", look)


def _in_hand() -> int:
    """How many messages of the queue of matches are given out and not acknowledged."""
    said = _broker("list_queues", "--formatter", "json", "name", "messages_unacknowledged")
    counts = {each["name"]: int(each["messages_unacknowledged"]) for each in json.loads(said)}
    return counts[PROCESS_QUEUE]


def _broker(*arguments: str) -> str:
    substrate = current().lab.substrate
    if not isinstance(substrate, Controllable):
        raise CannotRun(f"the substrate {substrate.name!r} cannot run the broker's own tool")
    return substrate.control_broker(*arguments)
