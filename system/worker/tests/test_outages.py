"""Redis, the API or the database is away for a while: matches wait, and nothing is given up."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import redis

from system.contract import envelope as wire
from system.contract.tests.samples import TODAY
from system.contract.topology import (
    LEARN_QUEUE,
    PROCESS_QUEUE,
    RETRY_DELAYS_S,
    VALIDATE_QUEUE,
    retry_queue,
)
from system.worker.retry import Policy
from system.worker.tests.bench import JSON, Bench, a_match, until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

OpenLab = Callable[..., Any]


def _legacy(bench: Bench) -> str:
    """A match as the earlier system sends it; nothing in it says that no result is wanted."""
    message_id = wire.new_message_id()
    match = {**TODAY, "external_match_id": message_id[:13]}
    body = {"id": message_id, "task": wire.PROCESS_TASK, "args": [match], "kwargs": {}}
    bench.put(json.dumps(body).encode(), **JSON)
    return message_id


def _ask(bench: Bench, envelope: wire.Envelope, key: str) -> str:
    """Send a message whose sender waits for the answer."""
    return bench.send(envelope.with_headers({**envelope.headers, "ignore_result": False}), key=key)


def _answer(bench: Bench, message_id: str) -> dict[str, Any] | None:
    with redis.Redis.from_url(bench.lab.endpoints.results_url, socket_timeout=30) as results:
        stored = results.get(f"celery-task-meta-{message_id}")
    return json.loads(stored) if stored else None


def _answered(bench: Bench, message_id: str) -> dict[str, Any]:
    return until(f"an answer to {message_id}", lambda: _answer(bench, message_id))


def test_without_redis_every_match_takes_effect_and_only_answers_are_missing(
    open_lab: OpenLab,
) -> None:
    """Stock Celery fails tasks whose effect is done, and dead-letters them or tries them again."""
    bench = Bench(open_lab())
    worker = bench.worker.pid
    bench.lab.substrate.kill("results")
    asked = [
        _ask(bench, a_match(task=wire.VALIDATE_TASK), VALIDATE_QUEUE),
        _ask(bench, _hello(), LEARN_QUEUE),
    ]
    matches = [bench.send(a_match()) for _ in range(3)] + [_legacy(bench) for _ in range(3)]
    for message_id in matches:
        bench.receipt(message_id)
    until("every queue to be empty", lambda: _is_empty(bench))
    bench.lab.substrate.start("results")
    answered = _ask(bench, a_match(task=wire.VALIDATE_TASK), VALIDATE_QUEUE)
    _answered(bench, answered)
    assert bench.letters(*matches) == []
    assert [_answer(bench, each) for each in asked] == [None, None]
    assert _is_empty(bench)
    assert bench.worker.pid == worker


def _hello() -> wire.Envelope:
    envelope = a_match(task=wire.HELLO_TASK)
    body = json.dumps([["Ada"], {}, json.loads(envelope.body)[2]]).encode()
    return wire.Envelope(envelope.message_id, body, envelope.headers)


def _is_empty(bench: Bench) -> bool:
    """Neither a message ready nor one in a worker's hand: a worker that looped would hold some."""
    return not any(bench.depth(queue) for queue in (PROCESS_QUEUE, VALIDATE_QUEUE, LEARN_QUEUE))


def test_callers_are_answered_by_redis(shared_lab: Any) -> None:
    bench = Bench(shared_lab)
    good = _ask(bench, a_match(task=wire.VALIDATE_TASK), VALIDATE_QUEUE)
    bad = _ask(bench, a_match(task=wire.VALIDATE_TASK, home_score=-1), VALIDATE_QUEUE)
    hello = _ask(bench, _hello(), LEARN_QUEUE)
    answers = [_answered(bench, each)["result"] for each in (good, bad, hello)]
    assert answers[0] == {"valid": True, "violations": []}
    assert answers[1]["violations"][0]["field"] == "home_score"
    assert answers[2] == "Hello, Ada!"


@pytest.mark.parametrize(
    ("sink", "away"),
    [
        ("api", "api"),
        pytest.param("api", "database", marks=pytest.mark.faults),
        pytest.param("database", "database", marks=pytest.mark.faults),
    ],
)
def test_while_the_store_is_away_matches_climb_the_ladder_and_then_all_take_effect(
    sink: str, away: str, open_lab: OpenLab
) -> None:
    """The first two pauses are those of the policy, and the receipts tell the attempts.

    Whether all wait on one step at one time is a matter of how many are tried together.
    """
    bench = Bench(open_lab(settings={"worker": {"MISSING_TABLE_SINK": sink}}))
    bench.receipt(bench.send(a_match()))  # a connection is there, and breaks
    bench.lab.substrate.kill(away)
    matches = [bench.send(a_match()) for _ in range(4)]
    until(
        "some to wait on the second step",
        lambda: bench.depth(retry_queue(RETRY_DELAYS_S[1])) > 0,
        within_s=120,
    )
    until("all to have tried a third time", lambda: _tries(bench, matches) >= 3, within_s=120)
    bench.lab.substrate.start(away)
    for message_id in matches:
        assert bench.receipt(message_id, within_s=120)["attempt"] >= 4
    assert bench.letters(*matches) == []
    for message_id in matches:
        _assert_paused_as_the_policy_says(bench.log(message_id))


def _tries(bench: Bench, message_ids: list[str]) -> int:
    return min(len(bench.log(each)) for each in message_ids)


def _assert_paused_as_the_policy_says(said: list[dict[str, Any]]) -> None:
    """A pause is the step less its jitter at least; how much more is up to the machine."""
    assert [line["attempt"] for line in said] == list(range(1, len(said) + 1))
    at = [datetime.fromisoformat(line["timestamp"]) for line in said]
    decided = [line["decision"] for line in said[:2]]
    for step, decision, before, after in zip(
        RETRY_DELAYS_S[:2], decided, at[:2], at[1:3], strict=True
    ):
        assert decision.startswith(f"RetryIn(step_s={step}, wait_ms=")
        wait_s = int(decision.removesuffix(")").rpartition("=")[2]) / 1000
        assert step * (1 - Policy().jitter) <= wait_s <= step
        assert (after - before).total_seconds() >= wait_s
