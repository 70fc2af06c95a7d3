"""The broker is killed again and again while a season is published; every message is accounted for.

The moments come from the seed: each kill waits until so many messages have been accepted.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from lab.checker.verdict import Verdict
from lab.experiment.lab import Lab
from lab.experiment.plugin import OpenLab
from lab.faults.residue import Residue
from lab.substrates.abilities import Killable
from lab.substrates.plan import Role
from lab.wait import eventually

pytestmark = [pytest.mark.services, pytest.mark.slow]

BACK_S = 150.0


@contextmanager
def _broker_killed_at(lab: Lab, marks: list[int]) -> Iterator[tuple[list[int], Callable[[], None]]]:
    """Kill the broker and bring it back each time that so many messages have been accepted.

    Gives the number of messages accepted when each kill came, and a function that waits until the
    broker is back from each that is due.
    """
    assert isinstance(lab.substrate, Killable)
    substrate, over, kills, trouble = (
        lab.substrate,
        threading.Event(),
        list[int](),
        list[Exception](),
    )
    back: list[int] = []

    def are_over() -> bool:
        return bool(trouble) or len(back) >= sum(mark <= len(lab.ledger.accepted) for mark in marks)

    def wait_until_back() -> None:
        eventually("the broker to be back from each death that is due", are_over, within_s=BACK_S)

    def reached(mark: int) -> bool:
        return len(lab.ledger.accepted) >= mark or over.is_set()

    def work() -> None:
        try:
            for mark in marks:
                eventually(
                    f"{mark} messages to be accepted",
                    partial(reached, mark),
                    within_s=3000,
                )
                if over.is_set():
                    return
                kills.append(len(lab.ledger.accepted))
                substrate.kill(Role.BROKER)
                substrate.start(Role.BROKER)
                back.append(mark)
        except Exception as error:
            trouble.append(error)

    thread = threading.Thread(target=work, name="killer")
    thread.start()
    try:
        yield kills, wait_until_back
    finally:
        over.set()
        thread.join(timeout=BACK_S)
    assert trouble == []


def _survives(lab: Lab, *, scrapes: int, messages: int, kills: int) -> None:
    rng = random.Random(lab.plan.seed)
    marks = sorted(rng.sample(range(messages // 20, messages * 9 // 10), kills))
    lab.residue = Residue(retry_s=60, reconnects=True)
    lab.ledger.follow(lab.scraper.drain_journal)
    with _broker_killed_at(lab, marks) as (came, wait_until_back):
        for index, moment in enumerate(lab.season.moments(scrapes)):
            lab.scrape(moment, index)
            # Without a broker all goes by HTTP, and the season may end before the broker is back.
            wait_until_back()
    lab.scraper.drain()
    audit = lab.audit()
    assert len(came) == kills, f"killed at {came}, wanted at {marks}"
    assert [each for each in audit.findings if each.verdict is not Verdict.VALID] == []
    assert (audit.counts.lost, audit.counts.duplicated) == (0, 0)
    assert audit.counts.accepted >= messages


@pytest.mark.faults
@pytest.mark.timeout(600)
def test_a_thousand_messages_survive_two_deaths_of_the_broker(open_lab: OpenLab) -> None:
    """1,000 messages and 2 kills: a season of 200 matches, scraped five times."""
    _survives(open_lab(matches=200, workers=2), scrapes=5, messages=1_000, kills=2)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_hundred_thousand_messages_survive_ten_deaths_of_the_broker(open_lab: OpenLab) -> None:
    """100,000 messages and 10 kills: a season of 20,000 matches, scraped five times."""
    _survives(open_lab(matches=20_000, workers=2), scrapes=5, messages=100_000, kills=10)
