"""The two halves of the system, apart: they know each other by an address and a token.

The messaging half runs near the people who keep it, the cloud half where the users are. Here two
namespaces stand for two clusters: an address leads from the one to the other, and nothing else.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.experiment.plugin import Evidence, OpenRelease, Recorded
from lab.faults.residue import Leaves
from lab.substrates import registry
from lab.substrates.protocol import Substrate
from lab.substrates.release import CLOUD, MESSAGING, Release, must
from lab.wait import eventually, stopwatch
from scenarios.support import released

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(600)]

UPGRADE_S = "300s"
IN_ONE_CLUSTER = (
    # What only a cloud has: a managed database, zones, an Ingress with a certificate.
    *("--set", "database.enabled=true", "--set", "secrets.existingSecret="),
    *("--set", "spread=ScheduleAnyway", "--set", "spreadTopologyKey=kubernetes.io/hostname"),
    *("--set", "backend.ingress.enabled=false", "--set", "backend.replicas=1"),
)
USUAL_CLASS = tuple(
    word
    for part in ("rabbitmq", "redis", "scraper", "prometheus")
    for word in ("--set", f"{part}.persistence.storageClass=")
)
"""Claims of the cluster's usual class, whatever it is called there."""


@pytest.fixture(scope="module")
def halves(open_release: OpenRelease) -> tuple[Release, Release]:
    """The messaging half and the cloud half, each installed in a namespace of its own."""
    messaging = open_release("messaging", ways=("broker", "management"))
    cloud = open_release("cloud", ways=("backend",))
    wait = ("--wait", "--timeout", UPGRADE_S)
    must(cloud.upgrade(*IN_ONE_CLUSTER, *wait, file=CLOUD))
    known = {
        "api": {"url": f"http://backend.{cloud.namespace}:80", "egressPorts": [8000]},
        "secrets": {"given": {"api-token": cloud.passwords()["api-token"]}},
    }
    must(messaging.upgrade(*USUAL_CLASS, *wait, file=MESSAGING, more=known))
    return messaging, cloud


@pytest.fixture(scope="module")
def both(halves: tuple[Release, Release]) -> Substrate:
    """The whole system, as the lab reaches it: the queue in the one half, the API in the other."""
    messaging, cloud = halves
    known = replace(messaging.endpoints(), api_url=cloud.endpoints().api_url)
    return registry.elsewhere(known)


def test_what_is_sent_in_one_half_takes_effect_in_the_other(
    halves: tuple[Release, Release], both: Substrate, recorded: Recorded, evidence: Evidence
) -> None:
    """The halves run apart, and know each other by an address and a token; messages pass.

    There is no database in the one and no broker in the other.
    """
    messaging, cloud = halves
    parts = [{part for part in released.PARTS if half.pods(part)} for half in halves]
    evidence("the messaging half has", sorted(parts[0]))
    evidence("the cloud half has", sorted(parts[1]))
    evidence("what they have in common", sorted(parts[0] & parts[1]))
    with recorded("apart", both, **released.MAY_BE_LATE) as lab:
        with lab.load("steady"):
            released.see_effects(lab, 100)
        released.judged(lab, evidence)
    assert parts == [{"rabbitmq", "redis", "celery-worker"}, {"database", "backend"}]
    assert messaging.namespace != cloud.namespace


def test_while_the_cloud_half_is_away_messages_wait_in_the_other(
    halves: tuple[Release, Release], both: Substrate, recorded: Recorded, evidence: Evidence
) -> None:
    """While the cloud half is away, the messaging half keeps every message, and senders go on.

    The workers try again later and later; nobody has to send anything twice.
    """
    messaging, cloud = halves
    with recorded("cloud-away", both, **released.MAY_BE_LATE) as lab:
        cloud.scale("deployment/backend", 0)
        cloud.ready("backend", 0)
        with stopwatch() as seconds:
            for number in range(20):
                lab.send(match_date=f"2026-03-{number + 1:02}")
            evidence("messages that the broker took meanwhile", len(lab.ledger.accepted))
            eventually(
                "the first of them to wait for its next attempt",
                lambda: released.retrying(lab),
                within_s=60,
            )
            evidence("effects meanwhile", len(lab.ledger.effects))
            cloud.scale("deployment/backend", 1)
            cloud.ready("backend")
            lab.residue = lab.residue.after(Leaves.RETRIES, seconds())
        evidence("restarts of the worker", messaging.pods("celery-worker")[0].restarts)
        audit = released.judged(lab, evidence)
    assert audit.counts.accepted == 20
    assert messaging.pods("celery-worker")[0].restarts == 0
