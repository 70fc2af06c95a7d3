"""What is struck by hand lasts until it is cured, its time is over, or the lab ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from lab.cli.fault import at_work
from lab.errors import CannotRun, SubstrateError
from lab.substrates.abilities import Breach
from lab.substrates.local.breaches import Breaches
from lab.wait import eventually


class System:
    """Something that can be broken, and notes it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.incurable: set[str] = set()
        self.slow = threading.Event()
        self.slow.set()

    @contextmanager
    def strike(self, fault: str, parameters: Mapping[str, Any]) -> Iterator[None]:
        """Break, and cure."""
        if fault == "impossible":
            raise CannotRun("it cannot be done")
        if fault == "slow":
            self.slow.wait(20)
        self.done.append(f"{fault} struck")
        yield
        self.done.append(f"{fault} cured")
        if fault in self.incurable:
            raise SubstrateError(f"{fault} cannot be mended")


@pytest.fixture
def system() -> System:
    return System()


@pytest.fixture
def noted() -> list[list[str]]:
    """The faults at work, at each change."""
    return []


@pytest.fixture
def breaches(system: System, noted: list[list[str]]) -> Breaches:
    return Breaches(system.strike, lambda now: noted.append([str(each) for each in now]))


def names(found: list[Breach]) -> list[str]:
    return [each.fault for each in found]


def test_it_lasts_until_it_is_cured_and_both_are_noted(
    breaches: Breaches, system: System, noted: list[list[str]]
) -> None:
    breach = breaches.strike("cut", {"link": "worker-api"}, by_hand=True)
    assert (breach.until, breach.by_hand) == (None, True)
    assert noted[-1] == ["cut link=worker-api"]
    assert names(breaches.cure_by_hand("cut")) == ["cut"]
    assert system.done == ["cut struck", "cut cured"]
    assert noted[-1] == []
    assert breaches.cure_by_hand("cut") == []


def test_it_ends_when_its_time_is_over(breaches: Breaches, system: System) -> None:
    breach = breaches.strike("cut", {}, by_hand=True, for_s=0.05)
    assert breach.until is not None
    eventually("it to be cured", lambda: not breaches.at_work(), within_s=20)
    assert system.done == ["cut struck", "cut cured"]


def test_one_that_was_cured_before_its_time_is_not_cured_again(
    breaches: Breaches, system: System
) -> None:
    breaches.strike("cut", {}, by_hand=True, for_s=0.2)
    breaches.cure_by_hand(None)
    breaches.strike("cut", {}, by_hand=True)
    with pytest.raises(Exception, match="waited for"):
        eventually("the second to end", lambda: not breaches.at_work(), within_s=0.5)
    assert system.done == ["cut struck", "cut cured", "cut struck"]


def test_the_same_cannot_be_struck_twice_but_another_link_can(breaches: Breaches) -> None:
    breaches.strike("cut", {"link": "a"}, by_hand=True)
    with pytest.raises(CannotRun, match="cut link=a is at work already, struck by hand"):
        breaches.strike("cut", {"link": "a"}, by_hand=True)
    breaches.strike("cut", {"link": "b"}, by_hand=True)
    assert names(breaches.cure_by_hand("cut")) == ["cut", "cut"]


def test_what_a_program_struck_is_not_cured_by_hand_nor_struck_again(breaches: Breaches) -> None:
    number = breaches.strike("cut", {}).number
    with pytest.raises(CannotRun, match="struck by a program that uses this lab"):
        breaches.strike("cut", {}, by_hand=True)
    assert breaches.cure_by_hand(None) == []
    breaches.cure(number)
    assert breaches.at_work() == []


def test_what_could_not_be_struck_is_not_at_work(
    breaches: Breaches, noted: list[list[str]]
) -> None:
    with pytest.raises(CannotRun, match="it cannot be done"):
        breaches.strike("impossible", {}, by_hand=True)
    assert breaches.at_work() == []
    assert noted[-1] == []


@pytest.mark.parametrize("for_s", [0, -1, float("nan"), float("inf"), 86401])
def test_a_time_that_cannot_be_meant_is_refused(breaches: Breaches, for_s: float) -> None:
    with pytest.raises(CannotRun, match="at most a day"):
        breaches.strike("cut", {}, by_hand=True, for_s=for_s)
    assert breaches.at_work() == []


def test_the_end_of_the_lab_cures_everything_the_newest_first_even_if_one_fails(
    breaches: Breaches, system: System
) -> None:
    system.incurable = {"second"}
    for fault in "first", "second", "third":
        breaches.strike(fault, {}, by_hand=True)
    breaches.close()
    assert system.done[3:] == ["third cured", "second cured", "first cured"]
    assert breaches.at_work() == []
    with pytest.raises(CannotRun, match="the lab ends"):
        breaches.strike("cut", {}, by_hand=True)


def test_a_cure_that_fails_is_said_and_the_others_are_done(
    breaches: Breaches, system: System
) -> None:
    system.incurable = {"second"}
    for fault in "first", "second":
        breaches.strike(fault, {}, by_hand=True)
    with pytest.raises(SubstrateError, match="second cannot be mended"):
        breaches.cure_by_hand(None)
    assert "first cured" in system.done
    assert breaches.at_work() == []


def test_a_cure_that_fails_in_time_stays_to_be_seen_until_somebody_has_seen_to_it(
    breaches: Breaches, system: System
) -> None:
    system.incurable = {"cut"}
    struck = breaches.strike("cut", {}, by_hand=True, for_s=0.01)
    eventually("the cure to fail", lambda: any(b.failed for b in breaches.at_work()), within_s=60)
    (stays,) = breaches.at_work()
    assert stays == replace(struck, until=None, failed="cut cannot be mended")
    assert at_work(stays).endswith("and its cure has failed: cut cannot be mended")

    assert breaches.cure_by_hand("cut") == [stays]
    assert breaches.at_work() == []


def test_a_slow_strike_holds_nobody_up_and_is_cured_when_it_is_done(
    breaches: Breaches, system: System
) -> None:
    system.slow.clear()
    slow = threading.Thread(target=lambda: breaches.strike("slow", {}, by_hand=True))
    slow.start()
    eventually("it to begin", breaches.at_work, within_s=20)
    breaches.strike("quick", {}, by_hand=True)
    cure = threading.Thread(target=lambda: breaches.cure_by_hand("slow"))
    cure.start()
    system.slow.set()
    slow.join(20)
    cure.join(20)
    assert system.done == ["quick struck", "slow struck", "slow cured"]
    assert names(breaches.at_work()) == ["quick"]


def test_what_is_at_work_says_how_long_or_that_it_is_being_cured() -> None:
    now = time.time()
    breach = Breach(1, "broker-killed", {"node": "0"}, now - 7, now - 2, by_hand=True)

    assert at_work(breach) == "broker-killed node=0, for 7 s, and is being cured"
    assert at_work(replace(breach, until=None)).endswith("until it is cured")
    assert at_work(replace(breach, until=now + 9.4)).endswith("for 9 s more")
    assert at_work(replace(breach, by_hand=False)).endswith("the program that struck it cures it")
