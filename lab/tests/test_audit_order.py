"""Newest wins, from receipts alone: no violation is missed that both orders show, none invented."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.checker.order import Disorder, disorder
from lab.checker.records import Receipt
from lab.tests.histories import BEGUN
from system.contract.submission import Effect

HONEST = Disorder()


def at(seconds: float) -> datetime:
    return BEGUN + timedelta(seconds=seconds)


def told(
    message_id: str, effect: str, observed_s: float, committed_s: float, *, match_id: int = 1
) -> Receipt:
    return Receipt(
        message_id,
        f"identity-{match_id}",
        match_id,
        Effect(effect),
        at(observed_s),
        at(committed_s - 0.001),
        at(committed_s),
    )


def test_nothing_contradicts_nothing() -> None:
    assert disorder([]) == HONEST


def test_an_older_observation_after_a_newer_one_is_found() -> None:
    found = disorder([told("new", "created", 2, 10), told("old", "updated", 1, 11)])
    assert found == Disorder(overwrote=["old"])


def test_an_unchanged_receipt_counts_as_the_newest_too() -> None:
    story = [
        told("first", "created", 1, 10),
        told("same", "unchanged", 3, 11),
        told("between", "updated", 2, 12),
    ]
    assert disorder(story) == Disorder(overwrote=["between"])


def test_at_the_same_time_of_observation_the_message_id_decides() -> None:
    assert disorder([told("a", "created", 1, 10), told("b", "updated", 1, 11)]) == HONEST
    assert disorder([told("b", "created", 1, 10), told("a", "updated", 1, 11)]).overwrote == ["a"]
    assert disorder([told("b", "created", 1, 10), told("a", "stale", 1, 11)]) == HONEST


def test_an_older_message_that_changes_nothing_is_no_violation() -> None:
    assert disorder([told("new", "created", 2, 10), told("old", "unchanged", 1, 11)]) == HONEST


def test_stale_needs_something_newer() -> None:
    assert disorder([told("only", "stale", 1, 10)]).wrongly_stale == ["only"]
    story = [told("a", "created", 1, 10), told("b", "stale", 2, 11), told("c", "updated", 3, 12)]
    assert disorder(story).wrongly_stale == ["b"]


def test_matches_are_judged_apart() -> None:
    story = [told("new", "created", 2, 10), told("old", "created", 1, 11, match_id=2)]
    assert disorder(story) == HONEST


def test_one_identity_stored_as_two_matches_is_found() -> None:
    one, two = told("a", "created", 1, 10), told("b", "created", 2, 11)
    assert disorder([one, two._replace(match_id=2)]).split == ["identity-1"]


def test_a_match_created_twice_is_found() -> None:
    story = [told("a", "created", 1, 10), told("b", "created", 2, 11)]
    assert disorder(story) == Disorder(created_again=["b"])


@pytest.mark.parametrize(("effect", "observed_s"), [("updated", 3), ("stale", 1)])
def test_overlapping_transactions_may_become_visible_in_another_order(
    effect: str, observed_s: float
) -> None:
    """The one that began first waited for the other's row: first by cursor, last to commit."""
    waited = told("waited", effect, observed_s, 11)
    went_ahead = told("went-ahead", "created", 2, 10)
    assert disorder([waited, went_ahead]) == HONEST


def test_receipts_of_one_transaction_have_no_order_of_their_own() -> None:
    """They are written at its end, by message id; the older one was applied first all the same."""
    newer, older = told("a", "updated", 2, 10), told("b", "created", 1, 10.0001)
    together = [newer, older._replace(received_at=newer.received_at)]
    assert disorder(together) == HONEST
    assert disorder([newer, older]).overwrote == ["b"]


def test_a_transaction_is_judged_against_those_before_it() -> None:
    before = told("c", "created", 3, 9)
    newer, older = told("a", "updated", 2, 10), told("b", "stale", 1, 10.0001)
    found = disorder([before, newer, older._replace(received_at=newer.received_at)])
    assert found == Disorder(overwrote=["a"])


def test_a_second_effect_of_the_same_observation_is_not_an_older_one() -> None:
    """Another law counts it."""
    for again in ("updated", "stale", "filled"):
        assert disorder([told("a", "created", 1, 10), told("a", again, 1, 11)]) == HONEST


def test_at_the_same_time_of_commit_the_cursor_decides() -> None:
    newer, older = told("new", "created", 2, 10), told("old", "updated", 1, 10)
    older = older._replace(received_at=at(1))
    assert disorder([newer, older]).overwrote == ["old"]
    assert disorder([older, newer]) == HONEST
    assert disorder([older._replace(effect=Effect.STALE), newer]) == HONEST


_OLDER = (Effect.STALE, Effect.FILLED)


def _pair_by_pair(story: list[Receipt]) -> Disorder:
    """What contradicts the law in one match, by its words: every receipt against every other."""
    found = Disorder()
    effective = [each for each in story if each.effect not in _OLDER]
    groups = [list(group) for _, group in groupby(story, key=lambda each: each.received_at)]
    earlier: list[Receipt] = []  # by cursor, in transactions before
    for group in groups:
        for each in group:
            by_clock = [other for other in effective if other.committed_at <= each.committed_at]
            if each.effect in _OLDER:
                there = [*by_clock, *(other for other in earlier + group if other in effective)]
                if all(other.age < each.age for other in there):
                    found.wrongly_stale.append(each.message_id)
            elif each.effect is not Effect.UNCHANGED and any(
                other.age > each.age for other in by_clock if other in earlier
            ):
                found.overwrote.append(each.message_id)
        earlier += group
    created = [each.message_id for each in story if each.effect is Effect.CREATED]
    found.created_again = created[1:]
    return found


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([each for each in Effect if each not in ("duplicate", "invalid")]),
            st.integers(0, 6),
            st.integers(0, 9),
            st.integers(0, 4),
        ),
        max_size=12,
    )
)
def test_the_quick_way_finds_what_every_pair_of_receipts_shows(
    drawn: list[tuple[Effect, int, int, int]],
) -> None:
    story = [
        told(f"m{number}", effect, observed, committed)._replace(received_at=at(transaction))
        for number, (effect, observed, committed, transaction) in enumerate(drawn)
    ]
    assert disorder(story) == _pair_by_pair(story)


class _Write(NamedTuple):
    observed: int
    transaction: int


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(0, 2**32),
)
def test_a_store_that_keeps_the_law_is_never_accused(
    messages: list[tuple[int, int]], seed: int
) -> None:
    """A model of a store: transactions of several messages, serial, numbered before they wait."""
    rng = random.Random(seed)
    writes = sorted((_Write(o, t) for o, t in messages), key=lambda write: write.transaction)
    by_transaction: dict[int, list[Receipt]] = {}
    newest: tuple[datetime, str] | None = None
    for number, write in enumerate(writes):
        message_id = f"{rng.random()}-{number}"
        age = (at(write.observed), message_id)
        if newest is None:
            effect = "created"
        else:
            effect = "stale" if age < newest else rng.choice(["updated", "unchanged"])
        newest = age if newest is None else max(newest, age)
        commit = 100 + write.transaction
        receipt = told(message_id, effect, write.observed, commit)
        by_transaction.setdefault(write.transaction, []).append(receipt)
    visible = []
    # Any two transactions overlapped: numbers were given out in any order.
    for receipts in rng.sample(list(by_transaction.values()), len(by_transaction)):
        receipts.sort(key=lambda receipt: receipt.message_id)
        for place, receipt in enumerate(receipts):
            later = timedelta(microseconds=place)
            visible.append(receipt._replace(committed_at=receipt.committed_at + later))
    assert disorder(visible) == HONEST


@settings(deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=40))
def test_a_store_where_the_last_one_wins_is_found_out(observed: list[int]) -> None:
    """Without the comparison every message changes the match: each that is older is named."""
    story, newest, wrong = [], (at(-1), ""), []
    for number, seconds in enumerate(observed):
        receipt = told(f"m{number:03}", "updated" if number else "created", seconds, 100 + number)
        if receipt.age < newest:
            wrong.append(receipt.message_id)
        newest = max(newest, receipt.age)
        story.append(receipt)
    assert disorder(story).overwrote == wrong
