"""How long waiting may take is worked out from what may be waiting."""

from __future__ import annotations

from lab.experiment.settle import DEAD_LETTER_ROUTE_S, deadline_s, rest_s
from lab.faults.residue import Residue, longest_retry_s
from system.contract.topology import RETRY_DELAYS_S


def test_more_messages_may_take_longer() -> None:
    assert deadline_s(10_000, Residue()) > deadline_s(10, Residue()) >= 30


def test_each_trouble_adds_the_time_that_it_can_cost() -> None:
    calm = deadline_s(0, Residue())
    assert deadline_s(0, Residue(retry_s=900)) == calm + 900
    assert deadline_s(0, Residue(reconnects=True)) > calm + 60
    assert deadline_s(0, Residue(dead_letter_route=True)) == calm + DEAD_LETTER_ROUTE_S


def test_a_dead_letter_route_that_was_away_hides_its_messages_for_three_minutes() -> None:
    assert rest_s(Residue()) < 30
    assert rest_s(Residue(dead_letter_route=True)) > DEAD_LETTER_ROUTE_S


def test_after_a_longer_outage_a_message_may_be_on_a_later_step_of_the_ladder() -> None:
    assert longest_retry_s(0.5) == RETRY_DELAYS_S[0]
    assert longest_retry_s(4) == 5
    assert longest_retry_s(30) == 60
    assert longest_retry_s(10_000) == RETRY_DELAYS_S[-1]
