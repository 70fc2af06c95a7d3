"""Faults by schedule: what a person writes is read as it is meant, or refused with a reason."""

from __future__ import annotations

import re

import pytest

from lab.errors import CannotRun
from lab.faults import schedule
from lab.faults.schedule import Planned
from lab.substrates.plan import Link


def test_a_fault_has_a_name_a_beginning_and_a_length() -> None:
    assert schedule.parse(["broker-killed@20s+5s"]) == [
        Planned("broker-killed", {"node": 0}, 20, 5)
    ]


def test_times_may_have_several_units_and_parameters_the_kind_of_their_default() -> None:
    (slow,) = schedule.parse(["link-slowed:link=worker-api,latency_s=0.5@1m30s+500ms"])
    assert (slow.begin_s, slow.length_s, slow.end_s) == (90, 0.5, 90.5)
    assert slow.parameters == {
        "link": Link.WORKER_API,
        "latency_s": 0.5,
        "bytes_per_s": 0.0,
        "jitter_s": 0.0,
    }
    assert slow.breaks_a_link


def test_a_schedule_is_in_the_order_of_time_and_can_be_written_down_again() -> None:
    words = ["worker-killed:index=1@9s+2s", "api-paused@0s+3s", "worker-killed@9s+2s"]
    planned = schedule.parse(words)
    assert [each.name for each in planned] == ["api-paused", "worker-killed", "worker-killed"]
    assert schedule.parse(map(str, planned)) == planned
    assert not any(each.breaks_a_link for each in planned)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["broker-killed"], "is written NAME@BEGIN"),
        (["broker-killed@5s"], "is written NAME@BEGIN"),
        (["@5s+5s"], "is written NAME@BEGIN"),
        (["broker-killed@5+5"], "'5' is no duration"),
        (["broker-killed@-5s+5s"], "'-5s' is no duration"),
        (["broker-killed@5s+0s"], "lasts 0 s"),
        (["broker-killed@5s+2h"], "600 s are the most"),
        (["broker-killed@2d+2s"], "86400 s are the most"),
        (["earthquake@5s+5s"], "no fault 'earthquake'; there are: api-errs, api-killed"),
        (["broker-killed:speed=3@5s+5s"], "has no parameter speed"),
        (["link-cut:link@5s+5s"], "name=value"),
        (["link-cut:@5s+5s"], "name=value"),
        (["link-cut:link=moon@5s+5s"], "one of: scraper-broker, .*not 'moon'"),
        (["worker-killed:index=-1@5s+5s"], "a whole number from 0; not '-1'"),
        (["worker-killed:index=1.5@5s+5s"], "a whole number from 0; not '1.5'"),
        (["link-slowed:latency_s=nan@5s+5s"], "a number from 0; not 'nan'"),
        (["link-slowed:latency_s=inf@5s+5s"], "a number from 0; not 'inf'"),
        (["worker-killed:index=1,index=1@5s+5s"], "is there twice"),
        (
            ["api-killed@5s+5s", "api-killed@9s+1s"],
            "api-killed@9s.1s begins before api-killed@5s.5s is cured",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(words: list[str], reason: str) -> None:
    with pytest.raises(CannotRun, match=reason):
        schedule.parse(words)


def test_the_same_fault_may_come_again_and_elsewhere_at_once() -> None:
    words = ["link-cut@5s+5s", "link-cut@10s+5s", "link-cut:link=worker-api@6s+5s"]
    assert [re.split("[:@]", str(each))[0] for each in schedule.parse(words)] == ["link-cut"] * 3
