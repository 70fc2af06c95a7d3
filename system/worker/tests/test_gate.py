"""What is let in, in both protocols, and what is not."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from system.contract import envelope, schema
from system.contract import match as contract
from system.contract.tests.samples import OURS, TODAY
from system.contract.topology import LEARN_QUEUE, PROCESS_QUEUE, VALIDATE_QUEUE
from system.worker.gate import RawDelivery, Unreadable, admit

KNOWN = frozenset({envelope.PROCESS_TASK, envelope.VALIDATE_TASK, envelope.HELLO_TASK})
WRAPPED = envelope.wrap(
    contract.parse(OURS), message_id="m-1", published_at=datetime(2025, 10, 19, tzinfo=UTC)
)
OURS_ON_THE_WIRE = RawDelivery(
    WRAPPED.body, "application/json", "utf-8", WRAPPED.headers, {"message_id": "m-1"}, PROCESS_QUEUE
)


def _todays(**change: Any) -> RawDelivery:
    """As the earlier system's publisher writes it: protocol 1, no headers at all."""
    body = {
        "id": "t-1",
        "task": "celery_tasks.match_tasks.process_match_data",
        "args": [TODAY],
        "kwargs": {},
        "retries": 0,
        "eta": None,
        "expires": None,
    }
    return RawDelivery(
        json.dumps(body | change).encode(), "application/json", None, {}, {}, PROCESS_QUEUE
    )


def test_our_own_messages_are_let_in() -> None:
    admitted = admit(OURS_ON_THE_WIRE, KNOWN)
    assert admitted.headers["task"] == envelope.PROCESS_TASK
    assert admitted.headers["id"] == "m-1"
    assert admitted.headers[envelope.CONTRACT] == schema.VERSION
    assert admitted.headers[envelope.PUBLISHED_AT] == "2025-10-19T00:00:00+00:00"
    assert json.loads(admitted.body)[0] == json.loads(WRAPPED.body)[0]


def test_todays_senders_are_let_in_under_our_task_name() -> None:
    admitted = admit(_todays(), KNOWN)
    assert admitted.headers["task"] == envelope.PROCESS_TASK
    assert admitted.headers["id"] == "t-1"
    assert admitted.headers[envelope.PUBLISHED_AT] is None
    assert json.loads(admitted.body)[0] == [TODAY]


def test_even_the_least_that_protocol_1_allows_is_let_in() -> None:
    body = {"id": "t-1", "task": envelope.PROCESS_TASK, "args": [TODAY]}
    bare = RawDelivery(json.dumps(body).encode(), "application/json", None, {}, {}, PROCESS_QUEUE)
    assert json.loads(admit(bare, KNOWN).body)[1] == {}


def test_the_amqp_timestamp_tells_when_a_message_without_our_header_was_published() -> None:
    seconds = replace(_todays(), properties={"timestamp": 1760875200})
    moment = replace(_todays(), properties={"timestamp": datetime(2025, 10, 19, 12, 0)})  # noqa: DTZ001
    for delivery in (seconds, moment):
        assert admit(delivery, KNOWN).headers[envelope.PUBLISHED_AT] == "2025-10-19T12:00:00+00:00"


def test_no_wish_of_a_sender_to_delay_expire_or_chain_gets_through() -> None:
    headers = {
        **WRAPPED.headers,
        "eta": "2099-01-01T00:00:00",
        "expires": "2000-01-01T00:00:00",
        "timelimit": "nonsense",
        "retries": "many",
    }
    args, kwargs, _ = json.loads(WRAPPED.body)
    body = json.dumps([args, kwargs, {"callbacks": [{"task": "hello"}]}]).encode()
    admitted = admit(replace(OURS_ON_THE_WIRE, headers=headers, body=body), KNOWN)
    assert admitted.headers["eta"] is admitted.headers["expires"] is None
    assert admitted.headers["timelimit"] == [None, None]
    assert json.loads(admitted.body)[2]["callbacks"] is None


@pytest.mark.parametrize("attempt", [0, -1, "2", True, None, 10**9, [1]])
def test_a_nonsense_attempt_counts_as_the_first(attempt: Any) -> None:
    headers = {**WRAPPED.headers, envelope.ATTEMPT: attempt}
    admitted = admit(replace(OURS_ON_THE_WIRE, headers=headers), KNOWN)
    assert admitted.headers[envelope.ATTEMPT] == 1


REFUSED: dict[str, tuple[RawDelivery, str, str]] = {
    "no JSON": (replace(OURS_ON_THE_WIRE, body=b"\xff\xfe"), "unreadable", "not JSON"),
    "torn JSON": (replace(OURS_ON_THE_WIRE, body=WRAPPED.body[:-5]), "unreadable", "not JSON"),
    "NaN": (replace(OURS_ON_THE_WIRE, body=b"[[NaN], {}, {}]"), "unreadable", "NaN"),
    "a huge number": (
        replace(OURS_ON_THE_WIRE, body=b"[[" + b"1" * 5000 + b"], {}, {}]"),
        "unreadable",
        "not JSON",
    ),
    "deep nesting": (
        replace(OURS_ON_THE_WIRE, body=b"[" * 30000 + b"]" * 30000),
        "unreadable",
        "not JSON",
    ),
    "nesting that cannot be handed on": (
        replace(OURS_ON_THE_WIRE, body=b"[[" + b"[" * 600 + b"]" * 600 + b"], {}, {}]"),
        "unreadable",
        "nested more than 100 deep",
    ),
    "too large": (
        replace(OURS_ON_THE_WIRE, body=b" " * (envelope.BODY_BYTES_MAX + 1)),
        "unreadable",
        "at most 65536",
    ),
    "pickle": (
        replace(OURS_ON_THE_WIRE, content_type="application/x-python-serialize"),
        "unreadable",
        "must be application/json",
    ),
    "no content type": (
        replace(OURS_ON_THE_WIRE, content_type=None),
        "unreadable",
        "must be application/json",
    ),
    "another encoding": (
        replace(OURS_ON_THE_WIRE, content_encoding="gzip"),
        "unreadable",
        "must be utf-8",
    ),
    "two elements": (replace(OURS_ON_THE_WIRE, body=b"[[], {}]"), "unreadable", "args, kwargs"),
    "args no list": (replace(OURS_ON_THE_WIRE, body=b"[1, {}, {}]"), "unreadable", "args must be"),
    "no id": (
        replace(OURS_ON_THE_WIRE, headers={"task": envelope.PROCESS_TASK}),
        "unreadable",
        "the id must be",
    ),
    "a hostile id": (_todays(id="../../etc/passwd"), "unreadable", "the id must be"),
    "an unknown task": (_todays(task="os.system"), "unknown-task", "os.system"),
    "a task that is no text": (_todays(task=["x"]), "unreadable", "must be text"),
    "an empty list": (replace(OURS_ON_THE_WIRE, body=b"[]", headers={}), "unreadable", "neither"),
    "an object without a task": (
        replace(OURS_ON_THE_WIRE, body=b"{}", headers={}),
        "unreadable",
        "neither",
    ),
}


@pytest.mark.parametrize(("delivery", "reason", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_no_task_can_take_is_refused_with_the_reason(
    delivery: RawDelivery, reason: str, words: str
) -> None:
    with pytest.raises(Unreadable) as refusal:
        admit(delivery, KNOWN)
    assert refusal.value.reason == reason
    assert words in refusal.value.detail
    assert len(refusal.value.detail) < 600


@pytest.mark.parametrize("queue", [PROCESS_QUEUE, VALIDATE_QUEUE, LEARN_QUEUE])
@pytest.mark.parametrize("task", sorted(KNOWN))
def test_each_task_is_taken_from_its_own_queue_only(task: str, queue: str) -> None:
    headers = {**WRAPPED.headers, "task": task}
    delivery = replace(OURS_ON_THE_WIRE, headers=headers, queue=queue)
    own = envelope.QUEUES_OF_TASKS[task]
    if queue == own:
        assert admit(delivery, KNOWN).headers["task"] == task
        return
    with pytest.raises(Unreadable, match=f"{task} is taken from {own} only") as refusal:
        admit(delivery, KNOWN)
    assert refusal.value.reason == "unknown-task"


_headers = st.dictionaries(
    st.sampled_from(["task", "id", "eta", "attempt", "published_at", "timelimit"]),
    st.none() | st.integers() | st.text(max_size=20) | st.lists(st.integers(), max_size=2),
)


# The first text of a process takes a second or two to draw, which a busy machine makes too slow.
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    st.binary(max_size=60) | st.sampled_from([WRAPPED.body, b"[[],{},{}]", b'{"task":"hello"}']),
    st.sampled_from(["application/json", None, "text/plain"]),
    st.sampled_from(["utf-8", None, "binary", "\x00"]),
    _headers,
)
def test_nothing_that_arrives_raises_anything_but_a_refusal(
    body: bytes, content_type: str | None, encoding: str | None, headers: dict[str, Any]
) -> None:
    try:
        admitted = admit(RawDelivery(body, content_type, encoding, headers, {}, LEARN_QUEUE), KNOWN)
    except Unreadable as refusal:
        assert refusal.detail
    else:
        assert admitted.headers["task"] in KNOWN
        assert admitted.body
