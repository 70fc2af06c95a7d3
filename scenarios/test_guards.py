"""Each guard holds what it promises, and without it the same experiment ends in a red verdict.

A check that was never seen to fail proves nothing. So every experiment here runs twice: on the
system as it is, and with one guard switched off (`system/tests/weakened/`), and then the audit has
to notice.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lab.experiment.lab import Lab
from lab.experiment.plugin import Labs, OpenLab
from lab.substrates.abilities import Killable, Pausable
from lab.substrates.plan import Role
from lab.wait import eventually
from scenarios.support.laws import not_valid, only_broken

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(180)]

PLAN = {"page_delay_ms": 1000}
WEAKENED = "system.tests.weakened"


def _worker_dies_in_the_middle_of_its_tasks(lab: Lab) -> None:
    """The API hangs, so tasks are under way; then the worker is killed, and comes back."""
    assert isinstance(lab.substrate, Killable)
    assert isinstance(lab.substrate, Pausable)
    lab.substrate.pause(Role.API)
    for number in range(12):
        lab.send(external_match_id=f"m-{number}")
    eventually(
        "the worker to take messages",
        lambda: lab.ledger.depths()["matches.process"] < 12,
        within_s=60,
    )
    lab.substrate.kill(Role.WORKER)
    lab.substrate.resume(Role.API)
    lab.substrate.start(Role.WORKER)


def _the_same_message_comes_twice(lab: Lab) -> None:
    """As after every redelivery; here just sent twice under one id."""
    for number in range(5):
        once = lab.send(external_match_id=f"m-{number}")
        lab.send(external_match_id=f"m-{number}", message_id=once)
    eventually(
        "all ten deliveries to be gone from the queue",
        lambda: lab.ledger.depths()["matches.process"] == 0,
        within_s=60,
    )


def _an_older_observation_comes_late(lab: Lab) -> None:
    """The result first, and then a page that was read two days before."""
    played: dict[str, Any] = {"home_score": 2, "away_score": 1, "match_status": "completed"}
    lab.send(external_match_id="late", observed_at="2025-10-19T20:00:00Z", **played)
    assert lab.settle()
    lab.send(external_match_id="late", observed_at="2025-10-17T20:00:00Z", match_status="scheduled")


def _broken_messages_come(lab: Lab) -> None:
    """Messages that no task can take, and matches that break the contract."""
    lab.send_foreign(0)


def _the_broker_dies_while_the_scraper_publishes(lab: Lab) -> None:
    """After the first page the broker hangs, so what is sent stays in buffers; then it dies."""
    assert isinstance(lab.substrate, Killable)
    assert isinstance(lab.substrate, Pausable)
    (moment,) = lab.season.moments(1)
    with ThreadPoolExecutor(1) as beside:
        scrape = beside.submit(lab.scrape, moment, 0)
        eventually("the first page to be accepted", lambda: lab.ledger.accepted, within_s=30)
        lab.substrate.pause(Role.BROKER)
        try:
            scrape.result(timeout=120)
        finally:
            lab.substrate.kill(Role.BROKER)
            lab.substrate.start(Role.BROKER)
    lab.scraper.drain()


Experiment = Callable[[Lab], None]
GUARDS: dict[str, tuple[Experiment, dict[str, object], tuple[int, ...]]] = {
    "late acks": (
        _worker_dies_in_the_middle_of_its_tasks,
        {"wrapper": {Role.WORKER: f"{WEAKENED}.late_acks"}},
        (1,),
    ),
    "the receipt": (
        _the_same_message_comes_twice,
        {"wrapper": {Role.API: f"{WEAKENED}.receipt"}},
        # The second receipt says, as the first, that it created the match: no order of effects on
        # one match allows that, so newest wins is broken with one effect.
        (2, 3),
    ),
    "newest wins": (
        _an_older_observation_comes_late,
        {"wrapper": {Role.API: f"{WEAKENED}.newest_wins"}},
        (3,),
    ),
    "dead letters": (
        _broken_messages_come,
        {"wrapper": {Role.WORKER: f"{WEAKENED}.dead_letter"}},
        (1,),
    ),
    "the confirm": (
        _the_broker_dies_while_the_scraper_publishes,
        {"scraper_wrapper": f"{WEAKENED}.confirm"},
        (1,),
    ),
}


@pytest.mark.parametrize("guard", GUARDS)
def test_with_its_guards_the_system_keeps_every_law(guard: str, labs: Labs) -> None:
    """Valid, whatever happens."""
    experiment, _, _ = GUARDS[guard]
    with labs.lent() as lab:
        experiment(lab)
        assert not_valid(lab.audit()) == {}


@pytest.mark.parametrize("guard", GUARDS)
def test_without_a_guard_the_audit_names_the_law_that_broke(guard: str, open_lab: OpenLab) -> None:
    """Invalid, for the right reason, and for no other."""
    experiment, weakening, laws = GUARDS[guard]
    lab = open_lab(**PLAN, **weakening)
    experiment(lab)
    only_broken(lab.audit(), *laws)
