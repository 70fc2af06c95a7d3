"""Messages that make stock Celery stop, lose them or hold on to them: here none of that happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kombu.connection import Connection

from system.contract import envelope as wire
from system.contract.topology import EXCHANGE, PROCESS_QUEUE
from system.worker.tests.bench import JSON, Bench, a_match

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

GOOD = a_match()
ARGS = json.loads(GOOD.body)
HEADERS = dict(GOOD.headers)
FAR, PAST = "2099-01-01T00:00:00+00:00", "2001-01-01T00:00:00+00:00"

DIE: dict[str, tuple[bytes, dict[str, Any], str, str]] = {
    "no content type": (
        GOOD.body,
        {"headers": HEADERS, "content_encoding": "utf-8"},
        "unreadable",
        "content type",
    ),
    "no id": (GOOD.body, {**JSON, "headers": {"task": wire.PROCESS_TASK}}, "unreadable", "the id"),
    "an id longer than AMQP can say": (
        GOOD.body,
        {**JSON, "headers": {**HEADERS, "id": "x" * 300}},
        "unreadable",
        "the id",
    ),
    "a body of two elements": (
        json.dumps(ARGS[:2]).encode(),
        {**JSON, "headers": HEADERS},
        "unreadable",
        "[args, kwargs, options]",
    ),
    "no JSON": (b"{not json", {**JSON, "headers": HEADERS}, "unreadable", "not JSON"),
    "another content type": (
        GOOD.body,
        {**JSON, "headers": HEADERS, "content_type": "application/x-python-serialize"},
        "unreadable",
        "application/x-python-serialize",
    ),
    "an unknown task": (
        GOOD.body,
        {**JSON, "headers": {**HEADERS, "task": "os.system"}},
        "unknown-task",
        "os.system",
    ),
    "neither headers nor a task": (GOOD.body, JSON, "unreadable", "neither"),
    "two arguments": (
        json.dumps([ARGS[0] * 2, {}, ARGS[2]]).encode(),
        {**JSON, "headers": HEADERS},
        "invalid",
        "must be one match, not 2 arguments",
    ),
    "a header of every kind": (
        b"{not json",
        {
            **JSON,
            "headers": {
                **HEADERS,
                "blob": b"\xff\x00",
                "none": None,
                "table": {"list": [1, [], "x", None]},
                "big": 2**62,
                wire.PUBLISHED_AT: "9999-12-31T23:59:59-23:59",
            },
        },
        "unreadable",
        "not JSON",
    ),
}


@pytest.mark.parametrize("kind", DIE)
def test_what_no_task_can_take_is_dead_lettered_with_the_reason_and_the_worker_goes_on(
    kind: str, bench: Bench
) -> None:
    """Stock Celery exits, loses it, or rejects it without a word of why."""
    worker = bench.worker.pid
    body, properties, reason, words = DIE[kind]
    message_id = wire.new_message_id()
    headers = {
        name: message_id if value == GOOD.message_id else value
        for name, value in properties.get("headers", {}).items()
    }
    bench.put(body, **{**properties, "headers": headers, "message_id": message_id})
    letter = bench.letter(message_id)
    assert letter.reason == reason
    assert words in letter.detail
    assert letter.body == body or reason == "invalid"
    assert bench.receipt(bench.send(a_match()))["effect"] == "created"
    assert bench.worker.pid == worker


LIVE: dict[str, dict[str, Any]] = {
    "an eta that is no time": {"eta": "tomorrow"},
    "an eta far away": {"eta": FAR},
    "an expiry in the past": {"expires": PAST},
    "retries and time limits that are none": {"retries": "many", "timelimit": [1, "x"]},
    "a callback": {"link": [{"task": "hello"}]},
}


@pytest.mark.parametrize("kind", LIVE)
def test_a_wish_that_would_hold_or_drop_a_match_is_not_heard(kind: str, bench: Bench) -> None:
    """A far eta would be held for years, a past expiry dropped; both without a trace."""
    envelope = a_match()
    bench.send(envelope.with_headers({**envelope.headers, **LIVE[kind]}))
    assert bench.receipt(envelope.message_id)["effect"] == "created"


def test_headers_that_can_be_read_but_not_written_again_lose_no_message(bench: Bench) -> None:
    """A floating-point header, which pika cannot write: the broker dead-letters it instead."""
    message_id = wire.new_message_id()
    with Connection(bench.urls["admin"]) as connection:
        connection.Producer().publish(
            b"{not json",
            exchange=EXCHANGE,
            routing_key=PROCESS_QUEUE,
            headers={"task": wire.PROCESS_TASK, "id": message_id, "weight": 0.5},
            message_id=message_id,
            **JSON,
        )
    assert bench.letter(message_id).reason == "rejected"
    assert bench.receipt(bench.send(a_match()))["effect"] == "created"


@pytest.mark.parametrize("stamp", [2**63, 10**12])
def test_a_timestamp_that_is_no_time_stops_nothing(stamp: int, bench: Bench) -> None:
    """AMQP counts seconds in 64 bits; Python's calendar ends in the year 9999."""
    worker = bench.worker.pid
    envelope = a_match()
    bench.put(
        envelope.body,
        headers=dict(envelope.headers),
        message_id=envelope.message_id,
        timestamp=stamp,
        **JSON,
    )
    assert bench.receipt(envelope.message_id)["effect"] == "created"
    assert bench.worker.pid == worker
