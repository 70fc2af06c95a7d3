"""Reading receipts: in order, whole, and never past one that commits late."""

from __future__ import annotations

import psycopg
import pytest

from system.backend import receipts, statements
from system.backend.errors import ApiError
from system.backend.receipts import START, read_page
from system.backend.tests.messages import EVENING, RECEIVED, message, submit
from system.contract.submission import Effect, Receipt, Way

pytestmark = pytest.mark.services


def _insert(connection: psycopg.Connection, message_id: str) -> None:
    row = [message_id, "101201", 1, "updated", "queue", 1, EVENING, "message", None, EVENING, None]
    connection.execute(statements.INSERT_RECEIPTS, [[value] for value in row])


def test_a_reader_never_skips_a_receipt_that_commits_late(
    clean: str, connection: psycopg.Connection
) -> None:
    submit(connection, message("before"))
    with psycopg.connect(clean) as slow, psycopg.connect(clean, autocommit=True) as fast:
        _insert(slow, "slow")  # has the smaller numbers, and is not committed yet
        submit(fast, message("fast", minute=1))
        first = read_page(connection, START, 100)
        assert [each.message_id for each in first.receipts] == ["before"]
        slow.commit()
    second = read_page(connection, first.next, 100)
    assert [each.message_id for each in second.receipts] == ["slow", "fast"]
    assert read_page(connection, second.next, 100).receipts == []
    assert read_page(connection, second.next, 100).next == second.next


def test_a_receipt_that_was_undone_is_not_waited_for(
    clean: str, connection: psycopg.Connection
) -> None:
    with psycopg.connect(clean) as slow:
        submit(connection, message("before"))
        _insert(slow, "undone")
        slow.rollback()
        submit(connection, message("after", minute=1))
        ids = [each.message_id for each in read_page(connection, START, 100).receipts]
    assert ids == ["before", "after"]


def test_pages_of_any_size_give_each_receipt_once_and_in_order(
    connection: psycopg.Connection,
) -> None:
    ids = [f"m{n:02}" for n in range(25)]
    for start in range(0, 25, 4):
        submit(connection, *(message(i, external_match_id=i) for i in ids[start : start + 4]))
    for limit in (1, 4, 7, 25, 100):
        read: list[Receipt] = []
        cursor = START
        while got := read_page(connection, cursor, limit):
            if not got.receipts:
                break
            read += got.receipts
            cursor = got.next
        assert [each.message_id for each in read] == ids


def test_a_receipt_says_all_that_is_known_of_its_message(connection: psycopg.Connection) -> None:
    published = EVENING.replace(hour=11)
    told = {"published_at": published, "attempt": 3, "way": Way.QUEUE}
    submit(connection, message("a").model_copy(update=told))
    (receipt,) = read_page(connection, START, 10).receipts
    assert receipt.effect is Effect.CREATED
    assert (receipt.way, receipt.attempt, receipt.observed_from) == ("queue", 3, "message")
    assert (receipt.published_at, receipt.received_at) == (published, RECEIVED)
    assert (receipt.identity, receipt.match_id) == ("101201", 1)
    (now,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
    assert now is not None
    assert 0 <= (now - receipt.committed_at).total_seconds() < 30


def test_a_cursor_beyond_all_numbers_is_refused(connection: psycopg.Connection) -> None:
    assert read_page(connection, f"{2**64 - 1}.{2**63 - 1}", 10).receipts == []
    for wrong in (f"{2**64}.0", f"0.{2**63}"):
        with pytest.raises(ApiError):
            receipts.read_page(connection, wrong, 10)
