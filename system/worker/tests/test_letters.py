"""Dead letters as data: whatever is in one, it can be read, chosen and, mostly, revived."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pika
import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.contract import envelope as wire
from system.contract.topology import EXCHANGE, FANOUT_EXCHANGE, PROCESS_QUEUE, RETURN_MARK
from system.worker.dead_letters import letter as letters
from system.worker.dead_letters.letter import DeadLetter, NotReplayable, Selection
from system.worker.dead_letters.prospects import would_die_of
from system.worker.gate import published_at
from system.worker.tests.bench import a_match

NOW = datetime(2025, 10, 19, 12, tzinfo=UTC)
SENT = a_match()


def _of_the_broker(**headers: Any) -> DeadLetter:
    """As the broker dead-letters it: after a delayed retry, whose death is an older one."""
    deaths = [
        {"reason": "delivery_limit", "queue": PROCESS_QUEUE, "time": datetime(2025, 10, 19, 10)},  # noqa: DTZ001
        {"reason": "expired", "queue": f"{PROCESS_QUEUE}.retry.1s", "time": datetime(2025, 10, 18)},  # noqa: DTZ001
    ]
    told = {"x-death": deaths, "x-first-death-reason": "expired", "x-delivery-count": 51}
    properties = pika.BasicProperties(
        message_id=SENT.message_id,
        content_type="application/json",
        headers={**SENT.headers, **told, **headers},
    )
    return letters.parse_letter(properties, SENT.body)


def test_of_several_deaths_the_newest_counts() -> None:
    letter = _of_the_broker()
    assert (letter.reason, letter.queue) == ("delivery_limit", PROCESS_QUEUE)
    assert letter.died_at == datetime(2025, 10, 19, 10, tzinfo=UTC)


def test_what_is_revived_is_what_was_sent_and_counts_its_replays() -> None:
    """A header of an older death would make the broker see a cycle, and drop it."""
    revived = letters.revive(_of_the_broker(dead_reason="x", attempt=7, replays=2), force=False)
    assert revived.message_id == SENT.message_id
    assert revived.body == SENT.body
    assert revived.headers == {**SENT.headers, wire.ATTEMPT: 1, wire.REPLAYS: 3}


def test_what_a_sender_left_out_is_not_made_up_by_a_replay() -> None:
    """The earlier system's senders name no encoding ("binary" would be refused), and no time."""
    properties = pika.BasicProperties(content_type="application/json")
    letter = letters.parse_letter(properties, SENT.body, exchange=EXCHANGE, key=PROCESS_QUEUE)
    revived = letters.revive(letter, force=False)
    assert revived.content_encoding == "utf-8"
    assert published_at(revived.headers, {"timestamp": 1760875200}) is None  # not the replay's
    assert RETURN_MARK.items() <= revived.headers.items()  # ours now: it comes back, if it must


def test_what_found_no_queue_tells_which_exchange_had_none_and_goes_where_it_was_for() -> None:
    body = b'{"task": "process_match_data", "id": "t-1"}'
    letter = letters.parse_letter(
        pika.BasicProperties(), body, exchange=FANOUT_EXCHANGE, key="somewhere"
    )
    assert (letter.reason, letter.queue) == ("unroutable", PROCESS_QUEUE)
    assert letter.detail == "no queue was bound to exchange 'matches-fanout' for key 'somewhere'"


def test_an_id_that_no_worker_would_take_is_replaced() -> None:
    letter = replace(_of_the_broker(), message_id="\u2603" * 200)
    assert letters.revive(letter, force=False).message_id != letter.message_id


@pytest.mark.parametrize(
    ("changed", "force", "words"),
    [
        ({"replays": 5}, False, "5 times"),
        ({"queue": ""}, True, "no queue of work"),
        ({"queue": f"{PROCESS_QUEUE}.retry.1s"}, True, "no queue of work"),
    ],
)
def test_what_was_sent_too_often_or_has_no_way_back_is_not_revived(
    changed: dict[str, Any], force: bool, words: str
) -> None:
    with pytest.raises(NotReplayable, match=words):
        letters.revive(replace(_of_the_broker(), **changed), force=force)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (SENT.body, ""),
        (b"no JSON", "not JSON"),
        (SENT.body.replace(b'"home_score":', b'"referee":"x","home_score":'), "is not a field"),
        (b"[[], {}, {}]", "must be one match"),
    ],
)
def test_what_a_replay_would_come_to_is_known_beforehand(body: bytes, words: str) -> None:
    envelope = letters.revive(replace(_of_the_broker(), body=body), force=False)
    why = would_die_of(envelope, PROCESS_QUEUE, datetime.now(UTC))
    assert words in why
    assert bool(why) == bool(words)


def test_a_filter_on_time_never_means_what_does_not_say_when_it_died() -> None:
    letter = _of_the_broker()
    assert letter.died_at is not None
    since = Selection(since=letter.died_at)
    assert since.selects(letter)
    assert not since.selects(replace(letter, died_at=letter.died_at - timedelta(seconds=1)))
    assert not since.selects(replace(letter, died_at=None))


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        ("3d", NOW - timedelta(days=3)),
        ("2025-10-18T12:00:00-04:00", datetime(2025, 10, 18, 16, tzinfo=UTC)),
    ],
)
def test_a_time_is_so_long_ago_or_a_date_with_its_offset(text: str, at: datetime) -> None:
    assert letters.moment(text, NOW) == at


_anything = st.recursive(
    st.none() | st.integers(-(2**31), 2**31) | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)
_names = st.sampled_from(
    ["task", "id", "attempt", "replays", "x-death", "dead_at", "dead_queue", "dead_reason", "other"]
)


@given(st.dictionaries(_names, _anything), st.binary(max_size=40) | st.just(b'{"id": "\\ud800"}'))
def test_whatever_a_dead_letter_holds_it_is_read_and_can_be_written_down(
    headers: dict[str, Any], body: bytes
) -> None:
    letter = letters.parse_letter(pika.BasicProperties(headers=headers), body)
    for text in (letter.message_id, letter.task, letter.reason, letter.detail, letter.queue):
        assert text.encode().decode() == text
    assert letter.attempts >= 1
    assert letter.replays >= 0
