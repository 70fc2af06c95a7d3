"""A queue's limits for an experiment, by a policy of higher priority than the system's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from lab.experiment.lab import Lab
from lab.wait import eventually
from system.contract.topology import QUEUES, VHOST

APPLIED_WITHIN_S = 60.0
_BEFORE_OURS = 10


@contextmanager
def at_most(lab: Lab, queue: str, messages: int) -> Iterator[None]:
    """For the block, `queue` accepts at most `messages`, and refuses more."""
    (usual,) = (declared.policy for declared in QUEUES if declared.name == queue)
    name = f"lab-{queue}"
    path = f"policies/{quote(VHOST, safe='')}/{quote(name, safe='')}"
    lab.endpoints.management.call(
        "PUT",
        path,
        {
            "pattern": f"^{queue.replace('.', '[.]')}$",
            "apply-to": "queues",
            "priority": _BEFORE_OURS,
            "definition": {**usual, "max-length": messages},
        },
    )
    try:
        _wait_for(lab, queue, name)
        yield
    finally:
        lab.endpoints.management.call("DELETE", path)
        _wait_for(lab, queue, queue)


def _wait_for(lab: Lab, queue: str, policy: str) -> None:
    where = f"queues/{quote(VHOST, safe='')}/{quote(queue, safe='')}?columns=policy"
    # For a moment it reports no policy at all, and then its answer is an empty list.
    eventually(
        f"the policy {policy} to hold for {queue}",
        lambda: lab.endpoints.management.call("GET", where) == {"policy": policy},
        within_s=APPLIED_WITHIN_S,
    )
