"""RabbitMQ as a cluster of three: one node may die, and with two dead it says no.

Every client is given the addresses of all three nodes, and goes to another when it loses one.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from lab.checker.verdict import Verdict
from lab.clients import amqp
from lab.clients.amqp import BrokerSilent
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, OpenLab
from lab.faults.residue import Residue
from lab.substrates.abilities import Killable
from lab.substrates.plan import Link, Role
from lab.wait import eventually
from system.contract.addresses import addresses
from system.contract.topology import PROCESS_QUEUE, QUEUES

pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.faults,
    pytest.mark.timeout(600),
]

NODES = 3
RELAYED = frozenset({Link.SCRAPER_BROKER, Link.WORKER_BROKER})
GONE_WITHIN_S = 60.0
LOOK_S = 3.0


def members(lab: Lab, queue: str) -> list[str]:
    """The nodes that hold a queue, and are up."""
    about = lab.endpoints.management.get(f"queues/%2F/{queue}")
    return sorted(about.get("online", []))


def is_silent(lab: Lab) -> bool:
    """Whether no node answers."""
    try:
        lab.endpoints.management.get("overview")
    except BrokerSilent:
        return True
    return False


def reachable(lab: Lab) -> list[bool]:
    """Whether the scraper reaches each node."""

    def answers(url: str) -> bool:
        try:
            with amqp.channel(url, timeout_s=GONE_WITHIN_S):
                return True
        except amqp.BrokerSilent:
            return False

    return [answers(url) for url in addresses(lab.endpoints.broker_urls["scraper"])]


def more_is_accepted(lab: Lab, by: int = 20) -> None:
    """Wait until the broker has confirmed more messages."""
    before = len(lab.ledger.accepted)
    eventually(
        f"{before + by} messages to be accepted",
        lambda: len(lab.ledger.accepted) >= before + by,
        within_s=GONE_WITHIN_S,
    )


def more_takes_effect(lab: Lab) -> None:
    """Wait until more messages have taken effect."""

    def effects() -> int:
        lab.ledger.look()
        return lab.ledger.counts()["took_effect"]

    before = effects()
    eventually(
        f"more than {before} messages to take effect",
        lambda: effects() > before,
        within_s=GONE_WITHIN_S,
    )


def test_the_death_of_the_leader_loses_nothing(open_lab: OpenLab, evidence: Evidence) -> None:
    """The node that leads the queue of matches dies under load; the load goes on without it.

    Another node becomes the leader, messages are accepted and applied meanwhile, and all of them
    are accounted for when the node is back.
    """
    lab = open_lab(workers=2, brokers=NODES)
    eventually(
        "every queue to have all its members",  # which the broker counts every few seconds
        lambda: all(len(members(lab, queue.name)) == NODES for queue in QUEUES),
        within_s=GONE_WITHIN_S,
        tolerate=(BrokerSilent,),
    )
    first = lab.endpoints.management.leader(PROCESS_QUEUE)
    with lab.load("steady"):
        more_is_accepted(lab)
        with lab.fault("broker-leader-killed"):
            more_is_accepted(lab)
            more_takes_effect(lab)
            (then,) = eventually(
                "the broker to name another leader",  # what it says may be some seconds old
                lambda: {lab.endpoints.management.leader(PROCESS_QUEUE)} - {first},
                within_s=GONE_WITHIN_S,
                tolerate=(BrokerSilent,),
            )
            evidence("leader", f"node {first}, then node {then}; accepted and applied meanwhile")
        eventually(
            "the queue to have all its members again",
            lambda: len(members(lab, PROCESS_QUEUE)) == NODES,
            within_s=GONE_WITHIN_S,
            tolerate=(BrokerSilent,),
        )
    audit = lab.audit()
    assert [each for each in audit.findings if each.verdict is not Verdict.VALID] == []
    assert (audit.counts.lost, audit.counts.duplicated) == (0, 0)


def test_with_two_of_three_nodes_dead_nothing_is_confirmed_and_nothing_lost(
    open_lab: OpenLab, evidence: Evidence
) -> None:
    """The node that is left has no majority, so it takes nothing; when they are back, all arrives.

    To confirm a message that only one of three holds would be a promise that it cannot keep.
    """
    lab = open_lab(workers=2, brokers=NODES)
    assert isinstance(lab.substrate, Killable)
    lab.residue = Residue(retry_s=60, reconnects=True)
    dead = random.Random(lab.plan.seed).sample(range(NODES), 2)
    with lab.load("steady"):
        more_is_accepted(lab)
        try:
            for number in dead:
                lab.substrate.kill(Role.BROKER, number)
            before = -1

            def nothing_more() -> bool:
                nonlocal before
                earlier, before = before, len(lab.ledger.accepted)
                lab.run_for(LOOK_S)
                return before == earlier == len(lab.ledger.accepted)

            eventually("no message to be accepted any more", nothing_more, within_s=GONE_WITHIN_S)
            # The node that is left stops its work as soon as it has noticed that it is alone.
            eventually("the broker to be silent", lambda: is_silent(lab), within_s=GONE_WITHIN_S)
            evidence("with two nodes dead", f"{before} accepted, and no more")
        finally:
            # Side by side: a node waits at its start for those that it does not know to have ended
            # before it, and two that died at one moment need not have heard of each other's death.
            with ThreadPoolExecutor(len(dead)) as side_by_side:
                list(side_by_side.map(partial(lab.substrate.start, Role.BROKER), dead))
        more_is_accepted(lab)
    audit = lab.audit()
    assert [each for each in audit.findings if each.verdict is not Verdict.VALID] == []
    assert (audit.counts.lost, audit.counts.duplicated) == (0, 0)


def test_a_node_that_no_client_reaches_holds_nothing_up(
    open_lab: OpenLab, evidence: Evidence
) -> None:
    """The node that leads the queue of matches is well, and cut off from every client of it.

    They go on with the other nodes, which still see it: messages are accepted and applied, and the
    leader need not change. A cut of the whole link cuts every node off.
    """
    lab = open_lab(workers=2, brokers=NODES, relayed=RELAYED)
    first = lab.endpoints.management.leader(PROCESS_QUEUE)
    with lab.load("steady"):
        more_is_accepted(lab)
        assert reachable(lab) == [True] * NODES
        with lab.fault("broker-partitioned", node=first):
            assert reachable(lab) == [number != first for number in range(NODES)]
            more_is_accepted(lab, by=100)
            more_takes_effect(lab)
            assert len(members(lab, PROCESS_QUEUE)) == NODES
            evidence("cut off from its clients", f"node {first}, which leads the queue")
        with lab.fault("link-cut", link=Link.SCRAPER_BROKER):
            assert reachable(lab) == [False] * NODES
        more_is_accepted(lab)
    audit = lab.audit()
    assert [each for each in audit.findings if each.verdict is not Verdict.VALID] == []
    assert (audit.counts.lost, audit.counts.duplicated) == (0, 0)
