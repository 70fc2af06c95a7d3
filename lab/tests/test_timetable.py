"""Faults that strike while a season goes by: in time, on record, and never silently left out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from lab.checker.measures import LATENCY_MEAN
from lab.errors import CannotRun, SubstrateError
from lab.experiment import season
from lab.experiment.lab import Lab
from lab.experiment.plugin import OpenLab
from lab.experiment.timetable import on_schedule
from lab.faults import schedule
from lab.substrates.plan import Role
from lab.wait import eventually, run_for, stopwatch


class Place:
    """Its processes can be ended, and nothing else."""

    name = "somewhere"

    def kill(self, role: Role, index: int = 0) -> None:
        """Only to be able to."""

    def terminate(self, role: Role, index: int = 0, *, within_s: float = 60) -> None:
        """Only to be able to."""

    def start(self, role: Role, index: int = 0) -> None:
        """Only to be able to."""


@dataclass
class Noting:
    """A lab that notes what is done to it."""

    substrate: Place = field(default_factory=Place)
    done: list[str] = field(default_factory=list)
    lasted: list[float] = field(default_factory=list)
    checks: list[tuple[str, bool | None, str]] = field(default_factory=list)
    settles: list[bool] = field(default_factory=lambda: [True])
    breaks: bool = False

    @contextmanager
    def fault(self, name: str, **parameters: Any) -> Iterator[None]:
        """Note it."""
        if self.breaks:
            raise SubstrateError("it did not break")
        with stopwatch() as seconds:
            self.done.append(f"{name} struck")
            yield
            self.lasted.append(seconds())
        self.done.append(f"{name} cured")

    def check(self, name: str, *, ok: bool | None, detail: str) -> None:
        """Note it."""
        self.checks.append((name, ok, detail))

    def settle(self) -> bool:
        """As it was told."""
        return self.settles.pop(0)


def scheduled(lab: Noting, *words: str) -> Any:
    return on_schedule(cast(Lab, lab), schedule.parse(words))


def test_it_strikes_in_time_and_one_that_has_begun_lasts_its_time() -> None:
    lab = Noting()
    with scheduled(lab, "api-killed@10ms+300ms"):
        eventually("it to strike", lambda: lab.done, within_s=60)
    assert lab.done == ["api-killed struck", "api-killed cured"]
    assert lab.lasted[0] >= 0.3  # though the work was over at once
    assert lab.checks == []


def test_work_that_fails_is_not_kept_waiting_for_the_cure() -> None:
    lab = Noting()

    def work() -> None:
        with scheduled(lab, "api-killed@0s+10m"):
            eventually("it to strike", lambda: lab.done, within_s=60)
            raise ZeroDivisionError

    with stopwatch() as seconds, pytest.raises(ZeroDivisionError):
        work()
    assert lab.done == ["api-killed struck", "api-killed cured"]
    assert seconds() < 60


def test_one_that_comes_after_the_work_makes_the_verdict_unknown() -> None:
    lab = Noting()
    with scheduled(lab, "api-killed@1h+5s"):
        pass
    assert lab.done == []
    assert lab.checks == [
        ("api-killed@3600s+5s struck and was cured", None, "the work was over before")
    ]


def test_one_that_could_not_strike_makes_the_verdict_unknown() -> None:
    lab = Noting(breaks=True)
    with scheduled(lab, "api-killed@0s+5s"):
        eventually("it to be noted", lambda: lab.checks, within_s=60)
    assert lab.checks == [("api-killed@0s+5s struck and was cured", None, "it did not break")]


def test_one_that_the_lab_cannot_do_is_refused_before_the_work() -> None:
    with pytest.raises(CannotRun, match="can break links"), scheduled(Noting(), "link-cut@0s+5s"):
        pytest.fail("the work has begun")


def test_what_the_lab_sends_itself_waits_for_the_cure_and_holds_the_next_one_back() -> None:
    lab = Noting()
    with scheduled(lab, "api-killed@0s+200ms", "broker-killed@800ms+50ms") as timetable:
        eventually("it to strike", lambda: lab.done, within_s=60)
        with timetable.held_back():
            held = list(lab.done)
            run_for(1.0)
            assert lab.done == held
        assert held[:2] == ["api-killed struck", "api-killed cured"]
        eventually("the next to be cured", lambda: len(lab.done) == 4, within_s=60)


def test_settling_that_was_disturbed_is_tried_again_and_else_it_has_failed() -> None:
    lab = Noting(settles=[False, True])
    with scheduled(lab, "api-killed@0s+10ms") as timetable:
        eventually("it to be over", lambda: len(lab.done) == 2, within_s=60)
        assert not timetable.settle()
        assert timetable.settle()


@pytest.mark.faults
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_season_with_faults_is_valid_and_has_them_on_record(open_lab: OpenLab) -> None:
    """The broker dies while pages are read; what the lab sends directly waits for its cure."""
    lab = open_lab(matches=60, page_delay_ms=30, objectives={LATENCY_MEAN: None})
    said: list[str] = []
    faults = schedule.parse(["broker-killed@500ms+1s", "api-killed@600ms+1s"])
    season.observe(lab, 2, said.append, faults)
    audit = lab.audit()
    assert audit.valid, audit.why
    assert sorted(each.name for each in audit.faults) == ["api-killed", "broker-killed"]
    assert audit.counts.accepted > 100
    assert len(said) == 2
