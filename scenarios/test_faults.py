"""Whatever breaks under load: once it is mended, every message has taken effect, once.

One lab goes through all faults, one after the other, and its audit covers everything since its
start. A lab whose audit was not valid is replaced, so that one failure does not become twenty.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from lab.checker.measures import LATENCY_MEAN
from lab.checker.verdict import Verdict
from lab.experiment.lab import Lab
from lab.experiment.plugin import Labs, OpenLab
from lab.faults import registry
from lab.faults.api import Wrong
from lab.substrates.plan import Link, Role
from lab.wait import eventually
from lab.workload import foreign

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

PLAN = {"relayed": frozenset(Link), "objectives": {LATENCY_MEAN: None}}
"""Under a fault messages are late; what is asked for is that all of them arrive."""

LASTS_S = 3.0
ENOUGH = 20
"""Messages that have met a fault which nothing else shows."""
SAID_WITHIN_S = 120.0
"""A worker that is not answered waits for ten seconds."""
CASES: list[tuple[str, dict[str, Any]]] = [
    ("worker-killed", {}),
    ("worker-child-killed", {}),
    ("worker-parent-killed", {}),
    ("worker-terminated", {}),
    ("worker-paused", {}),
    ("worker-slowed", {}),
    ("workers-gone", {}),
    ("broker-killed", {}),
    ("broker-leader-killed", {}),
    ("broker-terminated", {}),
    ("broker-paused", {}),
    ("broker-partitioned", {}),
    ("broker-memory-alarm", {}),
    ("broker-disk-alarm", {}),
    ("connections-closed", {}),
    ("messages-doubled", {}),
    ("results-killed", {}),
    ("database-killed", {}),
    ("database-paused", {}),
    ("matches-locked", {}),
    ("database-full", {}),
    ("api-killed", {}),
    ("api-paused", {}),
    ("link-cut", {"link": Link.WORKER_BROKER}),
    ("link-cut", {"link": Link.SCRAPER_BROKER}),
    ("link-cut", {"link": Link.API_DATABASE}),
    ("link-cut", {"link": Link.WORKER_RESULTS}),
    ("link-stalled", {"link": Link.WORKER_BROKER}),
    ("link-stalled", {"link": Link.WORKER_API}),
    ("link-half-open", {"link": Link.WORKER_BROKER}),
    ("link-half-open", {"link": Link.SCRAPER_BROKER}),
    ("link-slowed", {"link": Link.WORKER_BROKER, "latency_s": 0.1}),
    ("link-slowed", {"link": Link.API_DATABASE, "bytes_per_s": 50_000.0}),
    ("link-slowed", {"link": Link.WORKER_API, "jitter_s": 0.3}),
    ("queue-unbound", {}),
    ("dead-letter-route-away", {}),
]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("name", "parameters"),
    CASES,
    ids=["-".join([name, *map(str, parameters.values())]) for name, parameters in CASES],
)
def test_every_message_takes_effect_once_in_spite_of(
    name: str, parameters: dict[str, Any], labs: Labs
) -> None:
    """Load, fault, heal, settle, audit."""
    with labs.lent() as lab:
        if why := registry.find(name).lacking(lab.substrate):
            pytest.skip(why)
        with lab.load("steady"), lab.fault(name, **parameters):
            lab.run_for(LASTS_S)
        audit = lab.audit()
        assert audit.valid, audit.why
        assert audit.counts.committed + audit.counts.unchanged == audit.counts.attempted
        assert (audit.counts.lost, audit.counts.duplicated, audit.counts.dead_lettered) == (0, 0, 0)


@pytest.mark.faults
@pytest.mark.parametrize("how", Wrong)
def test_a_worker_believes_no_wrong_answer_of_the_api(how: Wrong, labs: Labs) -> None:
    """Something answers in its place until matches have failed by that; all take effect later."""
    with labs.lent() as lab:
        with lab.load("steady"), lab.fault("api-errs", how=how):
            _said_by_workers(lab, "failed")
        audit = lab.audit()
        assert audit.valid, audit.why
        assert audit.counts.committed + audit.counts.unchanged == audit.counts.attempted
        assert (audit.counts.lost, audit.counts.duplicated, audit.counts.dead_lettered) == (0, 0, 0)


@pytest.mark.controls
def test_what_is_told_as_stored_and_is_not_counts_as_lost_to_the_last_message(
    open_lab: OpenLab,
) -> None:
    """Workers believe a lie that looks like the truth; the ledger asks the API itself.

    No worker could tell. So the verdict is invalid, by law 1, and names how many.
    """
    lab = open_lab(relayed=frozenset({Link.WORKER_API}), objectives={LATENCY_MEAN: None})
    with lab.load("steady"):
        _said_by_workers(lab, "applied")
        with lab.fault("api-lies"):
            _said_by_workers(lab, "applied")
    audit = lab.audit()
    (law,) = (each for each in audit.findings if each.law == 1)
    assert law.verdict is Verdict.INVALID
    assert audit.counts.lost >= ENOUGH
    assert audit.counts.lost == audit.counts.accepted - len(lab.ledger.effects)
    assert (audit.counts.duplicated, audit.counts.dead_lettered) == (0, 0)


def test_no_fault_of_the_lab_is_left_out() -> None:
    """A new fault needs a line in CASES, or a test of its own; no law survives a lie."""
    survivable = {name for name, each in registry.known().items() if each.survivable}
    assert {"api-errs", *(name for name, _ in CASES)} == survivable


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_is_given_up_while_the_dead_letter_route_is_away_arrives_later(
    open_lab: OpenLab,
) -> None:
    """RabbitMQ keeps what it cannot dead-letter, and tries again after three minutes.

    What no task can take is then dead-lettered by the broker itself, without a detail; so law 4 is
    not asked for here.
    """
    lab = open_lab(**PLAN)
    with lab.load("trickle"), lab.fault("dead-letter-route-away"):
        lab.send_foreign(0)
        lab.run_for(LASTS_S)
        assert lab.ledger.look_at_dead_letters() == 0
    lab.settle()
    broken = {each.message_id for each in _broken(lab)}
    audit = lab.audit()
    others = [each for each in audit.findings if each.law != 4]
    assert [each for each in others if each.verdict is not Verdict.VALID] == []
    assert broken == lab.ledger.dead


def _said_by_workers(lab: Lab, event: str) -> None:
    """Wait until the workers have said of some more messages what became of them."""

    def said() -> int:
        logs = lab.substrate.logs(Role.WORKER)
        return sum(log.text().count(f'"event": "{event}"') for log in logs)

    before = said()
    eventually(
        f"{ENOUGH} more messages to be {event}",
        lambda: said() >= before + ENOUGH,
        within_s=SAID_WITHIN_S,
        every_s=0.5,
    )


def _broken(lab: Lab) -> Iterator[foreign.ForeignMessage]:
    """The messages of `send_foreign` that have to be dead-lettered."""
    for message in foreign.messages(random.Random(lab.plan.seed), 0):
        if message.expect == foreign.DEAD_LETTER:
            yield message
