"""What phase 2 does with a release and sees of it; see `lab.substrates.release`."""

from __future__ import annotations

import json

from lab.checker.check import Audit
from lab.checker.measures import LATENCY_MEAN
from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence
from lab.substrates.release import SECRET, Pod, Release
from lab.wait import eventually
from scenarios.support.refusals import because
from system.contract.topology import PROCESS_QUEUE

PARTS = ("rabbitmq", "redis", "database", "backend", "celery-worker")
"""The parts that a message passes, each with one pod at first."""
MAY_BE_LATE = {"objectives": {LATENCY_MEAN: None}}
"""Of a record: pods end and start meanwhile, and messages wait for them."""
GONE_WITHIN_S = 200.0
EFFECTS_WITHIN_S = 120.0
CONSUMERS_WITHIN_S = 60.0


def judged(lab: Lab, evidence: Evidence) -> Audit:
    """What the ledger says of every message; it has to be valid."""
    audit = lab.audit()
    counts = audit.counts
    evidence(
        "the ledger: accepted, took effect, lost, twice",
        [counts.accepted, counts.committed + counts.unchanged, counts.lost, counts.duplicated],
    )
    assert audit.valid, audit.why
    return audit


def is_whole(release: Release) -> bool:
    """Whether it is installed, its last revision is in force, and each part has its one pod."""
    revisions = release.history()
    if not revisions or revisions[-1]["status"] != "deployed":
        return False
    pods = {part: release.pods(part) for part in PARTS}
    return all(len(found) == 1 and found[0].ready for found in pods.values())


def history(release: Release) -> list[str]:
    """Its revisions, in words; of one that failed not all that Helm says."""
    return [
        f"{each['revision']} {each['status']}: {each['description'].partition(' failed: ')[0]}"
        for each in release.history()
    ]


def uids(release: Release) -> set[str]:
    """The pods that messages pass."""
    return {each.uid for part in PARTS for each in release.pods(part)}


def liveness_s(release: Release, part: str) -> float:
    """After how many seconds in which it is not alive the container of a part is restarted."""
    (pod, *_) = release.pods(part)
    (container,) = release.ask("pod", pod.name)["spec"]["containers"]
    probe = container["livenessProbe"]
    return float(probe["failureThreshold"] * probe["periodSeconds"])


def replace(release: Release, part: str) -> Pod:
    """Delete the one pod of a part; return the one that takes its place, once it is ready."""
    (before,) = release.ready(part)
    release.kubectl("delete", "pod", before.name, "--wait=false")
    wait_until_gone(release, part, before.uid)
    (after,) = release.ready(part)
    return after


def wait_until_gone(release: Release, part: str, uid: str) -> None:
    """Return once a pod has ended."""
    eventually(
        f"the pod of {part} to end",
        lambda: all(each.uid != uid for each in release.pods(part)),
        within_s=GONE_WITHIN_S,
        every_s=0.2,
    )


def waiting(lab: Lab) -> int:
    """How many messages wait for a worker; -1 while the broker does not say."""
    try:
        return lab.ledger.depth(PROCESS_QUEUE)
    except amqp.TROUBLE:
        return -1


def retrying(lab: Lab) -> int:
    """How many messages wait for their next attempt."""
    depths = lab.ledger.depths()
    return sum(count for queue, count in depths.items() if ".retry." in queue)


def see_effects(lab: Lab, count: int) -> None:
    """Return once so many more messages have taken effect."""
    before = len(lab.ledger.effects)
    eventually(
        f"{count} more messages to take effect",
        lambda: len(lab.ledger.effects) >= before + count,
        within_s=EFFECTS_WITHIN_S,
    )


def consumers(lab: Lab, expected: int) -> int:
    """How many consumers the queue of matches has; the expected number is waited for."""

    def there() -> int:
        with amqp.channel(lab.endpoints.broker_urls["operator"]) as on:
            found = on.queue_declare(PROCESS_QUEUE, passive=True).method.consumer_count
        return int(found)

    def look() -> bool:
        return there() == expected

    eventually(
        f"{expected} consumers", look, within_s=CONSUMERS_WITHIN_S, every_s=0.5,
        tolerate=amqp.TROUBLE,
    )  # fmt: skip
    return there()


def refusal_without_secret(release: Release) -> str:
    """What Helm says to an installation while the claims are there and their passwords are not.

    The Secret is put back in any case.
    """
    kept = release.ask("secret", SECRET)
    for name in ("resourceVersion", "uid", "creationTimestamp", "managedFields"):
        kept["metadata"].pop(name, None)
    release.kubectl("delete", "secret", SECRET)
    try:
        done = release.upgrade("--wait")
    finally:
        release.kubectl("create", "--filename=-", stdin=json.dumps(kept).encode())
    if done.code == 0:
        raise AssertionError("it was installed with new passwords on old data")
    return because(done.stderr)
