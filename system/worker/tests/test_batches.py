"""Matches that wait are applied together, and none of them pays for another one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from system.contract import envelope as wire
from system.contract.envelope import Envelope
from system.contract.topology import (
    DEAD_LETTER_QUEUE,
    LEARN_QUEUE,
    PROCESS_QUEUE,
    VALIDATE_QUEUE,
)
from system.messaging.publisher import Publisher
from system.worker.tests.bench import Bench, a_match, frozen_api, open_bench, until
from system.worker.tests.test_dying import limit_deliveries

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

OpenLab = Callable[..., Any]
WEAKENED = "system.tests.weakened"

SINKS = ["api", pytest.param("database", marks=pytest.mark.faults)]


@contextmanager
def backlog(bench: Bench) -> Iterator[list[Envelope]]:
    """What is put into the list waits in the queue when the worker goes on."""
    waiting: list[Envelope] = []
    bench.lab.substrate.pause("worker")
    try:
        yield waiting
        with Publisher(bench.urls["admin"]) as publisher:
            publisher.publish(waiting, exchange="matches", key=PROCESS_QUEUE, within_s=60)
    finally:
        bench.lab.substrate.resume("worker")


def receipts(bench: Bench, envelopes: list[Envelope]) -> list[dict[str, Any]]:
    """The receipts of all these messages, as soon as they are there."""
    ids = [each.message_id for each in envelopes]
    until(f"{len(ids)} receipts", lambda: len(bench.receipts(*ids)) == len(ids), within_s=90)
    return bench.receipts(*ids)


def said(bench: Bench, event: str) -> list[dict[str, Any]]:
    """What the worker has said by this event."""
    lines = [json.loads(line) for line in bench.whole_log().splitlines() if line[:1] == "{"]
    return [line for line in lines if line["event"].startswith(event)]


def transactions(found: list[dict[str, Any]]) -> int:
    """How many transactions wrote these receipts."""
    return len({str(each["xid"]) for each in found})


@pytest.mark.parametrize("sink", SINKS)
def test_a_backlog_goes_in_batches_and_a_bad_match_dead_letters_alone(
    sink: str, open_lab: OpenLab
) -> None:
    bench = open_bench(open_lab, sink=sink)
    bad = [a_match(home_score=-1), a_match(age_group="none"), a_match(extra="field")]
    good = [a_match() for _ in range(150)]
    with backlog(bench) as waiting:
        waiting += [*good[:70], *bad, *good[70:]]
    found = receipts(bench, good)
    assert transactions(found) < 30
    assert {each["attempt"] for each in found} == {1}
    for each in bad:
        assert bench.letter(each.message_id).reason == "invalid"
    assert len(bench.letters()) == len(bad)
    until("the queue to be empty", lambda: bench.depth(PROCESS_QUEUE) == 0)


@pytest.mark.parametrize("sink", SINKS)
def test_what_cannot_be_handed_on_dead_letters_alone(sink: str, open_lab: OpenLab) -> None:
    """Half a surrogate pair, a number without a word in JSON, nesting that pickle refuses."""
    bench = open_bench(open_lab, sink=sink)
    half, huge, deep = a_match(location="\ud800"), a_match(home_score=99), a_match(location="deep")
    huge = replace(huge, body=huge.body.replace(b'"home_score":99', b'"home_score":1e400'))
    deep = replace(deep, body=deep.body.replace(b'"deep"', b"[" * 600 + b"]" * 600))
    assert b"1e400" in huge.body
    assert b"[[[" in deep.body
    good = [a_match() for _ in range(40)]
    with backlog(bench) as waiting:
        waiting += [*good[:20], half, huge, deep, *good[20:]]
    assert {each["attempt"] for each in receipts(bench, good)} == {1}
    reasons = {bench.letter(each.message_id).reason for each in (half, huge)}
    assert reasons == {"invalid"}
    assert bench.letter(deep.message_id).reason == "unreadable"
    assert len(bench.letters()) == 3


def test_what_ends_in_another_order_is_acknowledged_once(open_lab: OpenLab) -> None:
    """A broker ends the connection of who acknowledges twice; all that it held then comes again."""
    settings = {"worker": {"MISSING_TABLE_BATCH_SIZE": "4"}}
    bench = Bench(open_lab(concurrency=4, settings=settings))
    good = [a_match() for _ in range(800)]
    with backlog(bench) as waiting:
        waiting += good
    assert {each["attempt"] for each in receipts(bench, good)} == {1}
    until(
        "the broker to hear of all of it",
        lambda: bench.lab.endpoints.management.held([PROCESS_QUEUE]) == 0,
    )
    assert "Connection to broker lost" not in bench.whole_log()


def test_with_a_batch_of_one_each_match_has_its_own_transaction(open_lab: OpenLab) -> None:
    bench = open_bench(open_lab, batch_size=1)
    good = [a_match() for _ in range(40)]
    with backlog(bench) as waiting:
        waiting += good
    assert transactions(receipts(bench, good)) == len(good)


def test_two_observations_of_one_match_in_one_batch_take_effect_in_their_order(
    open_lab: OpenLab,
) -> None:
    bench = open_bench(open_lab)
    result: dict[str, Any] = {"match_status": "completed", "away_score": 1}
    pair = [
        a_match(
            external_match_id="twice",
            observed_at=f"2025-10-19T18:0{score}:00Z",
            home_score=score,
            **result,
        )
        for score in (2, 3)
    ]
    others = [a_match() for _ in range(20)]
    with backlog(bench) as waiting:
        waiting += [*others[:5], pair[0], *others[5:10], pair[1], *others[10:]]
    found = {each["message_id"]: each for each in receipts(bench, [*others, *pair])}
    assert [found[each.message_id]["effect"] for each in pair] == ["created", "updated"]


def test_a_match_that_kills_its_child_costs_those_in_its_batch_nothing(open_lab: OpenLab) -> None:
    """The batch dies with the child; each of it is tried alone, and one is found to be poison."""
    bench = Bench(open_lab(wrapper={"worker": f"{WEAKENED}.poisoned_worker"}))
    limit_deliveries(bench, 3)
    worker = bench.worker.pid
    poison, good = a_match(location="poison"), [a_match() for _ in range(60)]
    with backlog(bench) as waiting:
        waiting += [*good[:30], poison, *good[30:]]
    assert bench.letter(poison.message_id, within_s=90).reason == "delivery_limit"
    found = receipts(bench, good)
    assert {each["attempt"] for each in found} == {1}
    assert len(bench.letters()) == 1
    assert len(said(bench, "a batch is lost")) == 1
    assert bench.receipts(poison.message_id) == []
    assert bench.worker.pid == worker


@pytest.mark.faults
def test_a_batch_that_exceeds_the_hard_time_limit_costs_nothing(open_lab: OpenLab) -> None:
    bench = Bench(
        open_lab(
            concurrency=1,
            wrapper={"worker": f"{WEAKENED}.deaf_worker"},
            settings={
                "worker": {
                    "MISSING_TABLE_SOFT_TIME_LIMIT_S": "2",
                    "MISSING_TABLE_HARD_TIME_LIMIT_S": "3",
                }
            },
        )
    )
    good = [a_match() for _ in range(20)]
    with frozen_api(bench):
        with backlog(bench) as waiting:
            waiting += good
        until("a batch to be lost", lambda: said(bench, "a batch is lost"), within_s=60)
    receipts(bench, good)
    until("the queue to be empty", lambda: bench.depth(PROCESS_QUEUE) == 0)
    assert bench.letters() == []


def test_a_batch_that_is_told_to_stop_is_tried_one_by_one(open_lab: OpenLab) -> None:
    bench = open_bench(open_lab, soft_time_limit_s=1, hard_time_limit_s=60)
    good = [a_match() for _ in range(20)]
    with frozen_api(bench):
        with backlog(bench) as waiting:
            waiting += good
        until("a batch to be stopped", lambda: said(bench, "a batch was stopped"), within_s=60)
    receipts(bench, good)
    assert bench.letters() == []


def test_a_match_at_which_the_backend_fails_waits_alone(open_lab: OpenLab, tmp_path: Path) -> None:
    """It is answered by 500 for the whole batch; then each is posted alone."""
    code = tmp_path / "failing"
    code.touch()
    bench = Bench(
        open_lab(
            concurrency=1,
            wrapper={"api": f"{WEAKENED}.failing_backend"},
            settings={"api": {"WEAKENED": str(code)}},
        )
    )
    culprit, good = a_match(location="poison"), [a_match() for _ in range(40)]
    with backlog(bench) as waiting:
        waiting += [*good[:20], culprit, *good[20:]]
    assert {each["attempt"] for each in receipts(bench, good)} == {1}
    code.unlink()
    assert bench.receipt(culprit.message_id, within_s=60)["attempt"] > 1
    assert bench.letters() == []


@pytest.mark.faults
def test_a_lost_connection_amid_a_batch_costs_nothing(open_lab: OpenLab) -> None:
    """What the broker delivers again has its receipt already, or takes effect alone."""
    bench = open_bench(open_lab)
    good = [a_match() for _ in range(40)]
    with frozen_api(bench):
        with backlog(bench) as waiting:
            waiting += good
        bench.busy_child()
        bench.lab.substrate.control_broker("close_all_connections", "test")
        until("the worker to be back", lambda: bench.consumers(VALIDATE_QUEUE) == 1)
    receipts(bench, good)
    until("the queue to be empty", lambda: bench.depth(PROCESS_QUEUE) == 0)
    assert bench.letters() == []


def test_each_queue_has_its_own_prefetch(open_lab: OpenLab) -> None:
    """A batch of matches for each child and one more; greetings are held as before."""
    bench = open_bench(open_lab, batch_size=32)
    kept = json.loads(
        bench.lab.substrate.control_broker(
            "list_consumers", "queue_name", "prefetch_count", "--formatter", "json"
        )
    )
    found = {each["queue_name"]: each["prefetch_count"] for each in kept}
    assert found[PROCESS_QUEUE] == 64
    assert found[VALIDATE_QUEUE] == found[LEARN_QUEUE] == 4
    assert DEAD_LETTER_QUEUE not in found


def test_greetings_and_answers_go_their_own_way_while_matches_are_gathered(
    open_lab: OpenLab,
) -> None:
    bench = open_bench(open_lab)
    good = [a_match() for _ in range(100)]
    with backlog(bench) as waiting:
        waiting += good
    bench.send(a_match(task=wire.VALIDATE_TASK), key=VALIDATE_QUEUE)
    receipts(bench, good)
    until("it to be answered", lambda: bench.depth(VALIDATE_QUEUE) == 0)
