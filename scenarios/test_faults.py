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
from lab.substrates.plan import Link
from lab.workload import foreign

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(300)]

PLAN = {"relayed": frozenset(Link), "objectives": {LATENCY_MEAN: None}}
"""Under a fault messages are late; what is asked for is that all of them arrive."""

LASTS_S = 3.0
CASES: list[tuple[str, dict[str, Any]]] = [
    ("worker-killed", {}),
    ("worker-child-killed", {}),
    ("worker-terminated", {}),
    ("worker-paused", {}),
    ("broker-killed", {}),
    ("broker-paused", {}),
    ("broker-memory-alarm", {}),
    ("connections-closed", {}),
    ("results-killed", {}),
    ("database-killed", {}),
    ("database-paused", {}),
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
    ("queue-unbound", {}),
    ("dead-letter-route-away", {}),
]


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


def test_no_fault_of_the_lab_is_left_out() -> None:
    """A new fault needs a line in CASES."""
    assert {name for name, _ in CASES} == set(registry.known())


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


def _broken(lab: Lab) -> Iterator[foreign.ForeignMessage]:
    """The messages of `send_foreign` that have to be dead-lettered."""
    for message in foreign.messages(random.Random(lab.plan.seed), 0):
        if message.expect == foreign.DEAD_LETTER:
            yield message
