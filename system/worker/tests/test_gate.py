"""What is let in, in both protocols, and what is not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from system.contract import envelope, schema
from system.contract import match as contract
from system.contract.tests.samples import OURS, TODAY
from system.contract.topology import LEARN_QUEUE, PROCESS_QUEUE, VALIDATE_QUEUE
from system.worker import gate
from system.worker.gate import (
    NESTING_MAX,
    SHORT_BYTES_MAX,
    RawDelivery,
    Unreadable,
    admit,
    own_id,
)

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


def test_what_celery_is_given_is_a_message_of_version_2_and_nothing_of_the_senders() -> None:
    headers = {**WRAPPED.headers, "argsrepr": "secret", "lang": "x", "parent_id": "p", "group": "g"}
    admitted = admit(replace(OURS_ON_THE_WIRE, headers=headers), KNOWN)
    assert admitted.headers == {
        "lang": "py",
        "task": envelope.PROCESS_TASK,
        "id": "m-1",
        "root_id": "m-1",
        "parent_id": None,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": [None, None],
        "argsrepr": "(…)",
        "kwargsrepr": "{…}",
        "ignore_result": True,
        envelope.PUBLISHED_AT: "2025-10-19T00:00:00+00:00",
        envelope.ATTEMPT: 1,
        envelope.REPLAYS: 0,
        envelope.CONTRACT: schema.VERSION,
    }
    assert json.loads(admitted.body)[2] == {
        "callbacks": None,
        "errbacks": None,
        "chain": None,
        "chord": None,
    }


def test_a_message_of_kombus_becomes_what_was_admitted_also_if_it_was_read_before() -> None:
    admitted = admit(_todays(), KNOWN)
    message = SimpleNamespace(headers={}, body=b"", content_encoding=None, _decoded_cache=["old"])
    admitted.put_into(message)
    assert (message.headers, message.body) == (admitted.headers, admitted.body)
    assert message.content_encoding == "utf-8"
    assert message._decoded_cache is None


@pytest.mark.parametrize("asked", [True, False, None])
def test_an_answer_is_kept_if_its_sender_wants_it_but_never_of_a_match(asked: bool | None) -> None:
    def ignored(task: str, queue: str) -> bool:
        headers = {**WRAPPED.headers, "task": task, "ignore_result": asked}
        admitted = admit(replace(OURS_ON_THE_WIRE, headers=headers, queue=queue), KNOWN)
        return bool(admitted.headers["ignore_result"])

    assert ignored(envelope.PROCESS_TASK, PROCESS_QUEUE)
    assert ignored(envelope.VALIDATE_TASK, VALIDATE_QUEUE) is bool(asked)


def test_a_task_is_taken_from_a_queue_that_is_not_known() -> None:
    assert admit(replace(OURS_ON_THE_WIRE, queue=""), KNOWN).headers["id"] == "m-1"


def test_a_message_may_be_as_large_as_the_contract_says() -> None:
    padded = WRAPPED.body + b" " * (envelope.BODY_BYTES_MAX - len(WRAPPED.body))
    assert admit(replace(OURS_ON_THE_WIRE, body=padded), KNOWN).headers["id"] == "m-1"


@pytest.mark.parametrize(("deep", "may"), [(NESTING_MAX - 1, True), (NESTING_MAX, False)])
@pytest.mark.parametrize("around", [("[", "]"), ('{"x":', "}")], ids=["lists", "objects"])
def test_what_is_nested_is_taken_up_to_a_depth_whatever_nests(
    around: tuple[str, str], deep: int, may: bool
) -> None:
    """In the body's list and that of the arguments; what lies side by side does not count."""
    begin, end = around
    match = begin * deep + "1" + end * deep
    flat = "[" + ",".join(["{}"] * 2 * NESTING_MAX) + "]"
    body = f"[[{match}, {flat}], {{}}, {{}}]".encode()
    delivery = replace(OURS_ON_THE_WIRE, body=body)
    if may:
        assert len(admit(delivery, KNOWN).args) == 2
        return
    with pytest.raises(Unreadable, match="nested more than 100 deep"):
        admit(delivery, KNOWN)


PUBLISHED: dict[str, tuple[dict[str, Any], Any, str | None]] = {
    "our header": ({envelope.PUBLISHED_AT: "2025-10-19T14:00:00+02:00"}, 1, "2025-10-19T12:00:00"),
    "not known": ({envelope.PUBLISHED_AT: None}, 1760875200, None),
    "a header that is no time": ({envelope.PUBLISHED_AT: "x"}, 1760875200, "2025-10-19T12:00:00"),
    "a header without a zone": (
        {envelope.PUBLISHED_AT: "2025-10-19T14:00:00"},
        1760875200,
        "2025-10-19T12:00:00",
    ),
    "a time before all times": (
        {envelope.PUBLISHED_AT: "0001-01-01T00:00:00+10:00"},
        1760875200,
        "2025-10-19T12:00:00",
    ),
    "a number for a header": ({envelope.PUBLISHED_AT: 7}, 1760875200, "2025-10-19T12:00:00"),
    "a stamp with its zone": (
        {},
        datetime(2025, 10, 19, 14, 0, tzinfo=timezone(timedelta(hours=2))),
        "2025-10-19T12:00:00",
    ),
    "the first second": ({}, 1, "1970-01-01T00:00:01"),
    "no second": ({}, 0, None),
    "the last second": ({}, 32503679999, "2999-12-31T23:59:59"),
    "after the last": ({}, 32503680000, None),
    "a truth value": ({}, True, None),
    "text": ({}, "1760875200", None),
    "nothing": ({}, None, None),
}


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine that is not in UTC."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(("header", "stamp", "said"), PUBLISHED.values(), ids=PUBLISHED.keys())
def test_when_a_message_was_published_is_told_by_its_header_else_by_its_stamp(
    header: dict[str, Any], stamp: Any, said: str | None
) -> None:
    """In UTC, whatever zone this machine is in."""
    delivery = replace(_todays(), headers=header, properties={"timestamp": stamp})
    found = admit(delivery, KNOWN).headers[envelope.PUBLISHED_AT]
    assert found == (None if said is None else f"{said}+00:00")


@pytest.mark.parametrize("name", [envelope.ATTEMPT, envelope.REPLAYS])
@pytest.mark.parametrize("count", [1, 7, 1_000_000])
def test_what_a_message_counts_is_kept(name: str, count: int) -> None:
    headers = {**WRAPPED.headers, name: count}
    assert admit(replace(OURS_ON_THE_WIRE, headers=headers), KNOWN).headers[name] == count


def test_what_a_message_counts_has_a_bound() -> None:
    headers = {**WRAPPED.headers, envelope.ATTEMPT: 1_000_001, envelope.REPLAYS: 1_000_001}
    admitted = admit(replace(OURS_ON_THE_WIRE, headers=headers), KNOWN).headers
    assert (admitted[envelope.ATTEMPT], admitted[envelope.REPLAYS]) == (1, 0)


def test_a_version_of_the_contract_is_kept_as_far_as_it_can_be_one() -> None:
    for version, kept in (("3.1", "3.1"), ("x" * 21, "x" * 20), (3, None), (None, None)):
        headers = {**WRAPPED.headers, envelope.CONTRACT: version}
        admitted = admit(replace(OURS_ON_THE_WIRE, headers=headers), KNOWN)
        assert admitted.headers[envelope.CONTRACT] == kept


LONG = "x" * SHORT_BYTES_MAX
IDS: dict[str, tuple[dict[str, Any], dict[str, Any], Any, str | None]] = {
    # properties, headers, body → the id
    "the property": ({"message_id": "p", "correlation_id": "c"}, {"id": "h"}, {"id": "b"}, "p"),
    "the header": ({"correlation_id": "c"}, {"id": "h"}, {"id": "b"}, "h"),
    "the body": ({"correlation_id": "c"}, {}, {"id": "b"}, "b"),
    "the correlation": ({"correlation_id": "c"}, {}, {}, "c"),
    "none": ({}, {}, {}, None),
    "one that is empty": ({"message_id": ""}, {"id": "h"}, {}, "h"),
    "one that is no text": ({"message_id": 7}, {"id": ["h"]}, {"id": {}}, None),
    "one letter": ({"message_id": "p"}, {}, {}, "p"),
    "as long as it may be": ({"message_id": LONG}, {}, {}, LONG),
    "longer than AMQP carries": ({"message_id": LONG + "x"}, {}, {}, None),
    "half a pair": ({"message_id": "\ud800"}, {}, {"id": "b"}, "b"),
    "a body that is a list": ({}, {}, ["id"], None),
}


@pytest.mark.parametrize(("properties", "headers", "body", "found"), IDS.values(), ids=IDS.keys())
def test_the_id_under_which_its_sender_knows_a_message_is_found_wherever_it_is(
    properties: dict[str, Any], headers: dict[str, Any], body: Any, found: str | None
) -> None:
    content = json.dumps(body).encode()
    delivery = RawDelivery(content, "application/json", None, headers, properties, PROCESS_QUEUE)
    assert own_id(delivery) == found


@pytest.mark.parametrize("body", [b"torn {", b"[" * 30000, b"\xff"])
def test_a_body_that_cannot_be_read_has_no_id(body: bytes) -> None:
    assert own_id(RawDelivery(body, None, None, {}, {"correlation_id": "c"}, "")) == "c"


def test_a_body_that_is_too_large_is_not_read_for_its_id() -> None:
    for more, found in ((0, "b"), (1, None)):
        body = json.dumps({"id": "b"}).encode().ljust(envelope.BODY_BYTES_MAX + more)
        assert own_id(RawDelivery(body, None, None, {}, {}, "")) == found


@pytest.mark.parametrize("attempt", [0, -1, "2", True, None, 10**9, [1]])
def test_a_nonsense_attempt_counts_as_the_first(attempt: Any) -> None:
    headers = {**WRAPPED.headers, envelope.ATTEMPT: attempt}
    admitted = admit(replace(OURS_ON_THE_WIRE, headers=headers), KNOWN)
    assert admitted.headers[envelope.ATTEMPT] == 1


REFUSED: dict[str, tuple[RawDelivery, str, str]] = {
    "no JSON": (replace(OURS_ON_THE_WIRE, body=b"\xff\xfe"), "unreadable", "not JSON"),
    "torn JSON": (replace(OURS_ON_THE_WIRE, body=b"[torn"), "unreadable", "begins with '[torn'"),
    "NaN": (
        replace(OURS_ON_THE_WIRE, body=b"[[NaN], {}, {}]"),
        "unreadable",
        "NaN is no JSON number",
    ),
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
        "must be application/json, not 'application/x-python-serialize'",
    ),
    "no content type": (
        replace(OURS_ON_THE_WIRE, content_type=None),
        "unreadable",
        "must be application/json",
    ),
    "another encoding": (
        replace(OURS_ON_THE_WIRE, content_encoding="gzip"),
        "unreadable",
        "must be utf-8, not 'gzip'",
    ),
    "two elements": (replace(OURS_ON_THE_WIRE, body=b"[[], {}]"), "unreadable", "args, kwargs"),
    "args no list": (replace(OURS_ON_THE_WIRE, body=b"[1, {}, {}]"), "unreadable", "args must be"),
    "no id": (
        replace(OURS_ON_THE_WIRE, headers={"task": envelope.PROCESS_TASK}),
        "unreadable",
        "the id must be",
    ),
    "a hostile id": (_todays(id="../../etc/passwd"), "unreadable", "not '../../etc/passwd'"),
    "an unknown task": (_todays(task="os.system"), "unknown-task", "os.system"),
    "a task that is no text": (_todays(task=["x"]), "unreadable", 'must be text, not ["x"]'),
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


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def _plainly(body: bytes) -> object:
    """What Python's own reading gives, NaN and the like refused; else the kind of its refusal."""
    try:
        return repr(json.loads(body.decode(), parse_constant=lambda _: 1 // 0))
    except (ValueError, ZeroDivisionError):
        return ValueError


def _as_the_gate(body: bytes) -> object:
    try:
        return repr(gate.read(body))
    except ValueError:
        return ValueError


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(_json, st.booleans(), st.lists(st.tuples(st.integers(0, 200), st.binary(max_size=2))))
def test_a_body_is_read_as_python_reads_it(
    content: Any, ascii_only: bool, changes: list[tuple[int, bytes]]
) -> None:
    body = json.dumps(content, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    for at, instead in changes:
        body = body[:at] + instead + body[at + 1 :]
    assert _as_the_gate(body) == _plainly(body)


@pytest.mark.parametrize(
    "body",
    [
        *(b"1e400", b"-1e400", b"12345678901234567890123", b"-0", b"1E5", b"0.1e-400", b"1" * 5000),
        *(b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\xff"', b'"\x01"', b'"\x7f"', b'{"a":1,"a":2}'),
        *(b"NaN", b"-Infinity", b"[NaN]", b"01", b".5", b"1.", b"+1", b"1 2", b" 1 ", b"\x0b1"),
        *(b"\xef\xbb\xbf1", b"null\x00", b"{'a':1}", b"[1,]", b"", b"\xa01", b"--1", b"1e"),
    ],
)
def test_what_readers_of_json_differ_in_is_read_as_python_reads_it(body: bytes) -> None:
    assert _as_the_gate(body) == _plainly(body)
