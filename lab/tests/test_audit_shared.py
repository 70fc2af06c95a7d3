"""A lab that others use too: theirs is set apart, and what this run sent is judged all the same."""

from __future__ import annotations

import pytest

from lab.checker.order import Disorder, disorder
from lab.checker.records import Receipt
from lab.checker.verdict import Verdict
from lab.tests.histories import BEGUN, Record, attempted, dead_letter, record
from lab.tests.injections import judged, verdicts
from lab.tests.small_runs import accepted, ran, stored
from system.contract.submission import Effect

OTHERS = [stored("their-effect", 3, "2"), dead_letter("their-death", 4, reason="")]


def test_what_others_sent_is_counted_apart_and_breaks_nothing() -> None:
    result = judged(ran(*OTHERS, shared=True))
    assert result.valid, result.why
    counts = result.counts
    assert (counts.others, counts.unexpected, counts.committed, counts.dead_lettered) == (
        2,
        0,
        1,
        0,
    )
    assert result.story.deaths == []


@pytest.mark.parametrize("shared", [False, None, "yes", 1])
def test_in_a_lab_of_its_own_the_same_was_never_sent(shared: object) -> None:
    records = ran(*OTHERS)
    records[0]["shared"] = shared
    result = judged(records)
    assert verdicts(result) == {1: Verdict.INVALID, 4: Verdict.INVALID}
    assert result.counts.unexpected == 2
    assert result.counts.others == 0


def test_a_history_without_a_beginning_is_not_taken_for_a_shared_one() -> None:
    result = judged(ran(*OTHERS, shared=True)[1:])
    assert (result.counts.others, result.counts.unexpected) == (0, 2)


@pytest.mark.parametrize(
    ("broken", "laws"),
    [
        (accepted("mine"), {1}),
        ([*accepted("mine"), stored("mine", 3, "3"), stored("mine", 4, "3", effect="stale")], {2}),
        ([attempted("mine", 1, "2"), dead_letter("mine", 4)], {4}),
        ([*accepted("mine", expect="dead-letter"), stored("mine", 3, "3")], {4}),
        ([*accepted("mine"), stored("mine", 3, "2", match_id=9)], {3}),
    ],
)
def test_what_this_run_sent_is_still_judged(broken: list[Record], laws: set[int]) -> None:
    """The last one is a match stored twice: once by others, once by this run."""
    result = judged(ran(*OTHERS, *broken, shared=True))
    assert verdicts(result) == dict.fromkeys(laws, Verdict.INVALID)


def test_what_others_stored_may_be_newer_than_all_that_was_seen() -> None:
    """The history begins in the middle, so nothing says that stale is wrong."""
    stale = [*accepted("late"), stored("late", 3, "2", effect="stale")]
    assert verdicts(judged(ran(*stale, shared=True))) == {}
    assert verdicts(judged(ran(*stale))) == {3: Verdict.INVALID}
    made = [*accepted("made"), stored("made", 2, "2"), *accepted("late", 5)]
    late = stored("late", 5.5, "2", effect="stale", observed_at=record("", 5)["at"])
    assert verdicts(judged(ran(*made, late, shared=True))) == {3: Verdict.INVALID}


def test_what_others_sent_wrongly_is_not_named_as_a_second_effect() -> None:
    twice = [stored("theirs", 3, "2"), stored("theirs", 4, "2", effect="stale")]
    result = judged(ran(*twice, shared=True))
    assert result.counts.duplicated == 0
    assert result.counts.others == 1


def test_a_match_that_was_created_among_the_receipts_is_known_from_its_beginning() -> None:
    def told(message_id: str, effect: Effect, match_id: int) -> Receipt:
        return Receipt(message_id, f"i{match_id}", match_id, effect, BEGUN, BEGUN, BEGUN)

    receipts = [
        told("a", Effect.CREATED, 1),
        told("b", Effect.STALE, 1),
        told("c", Effect.UPDATED, 2),
        told("d", Effect.STALE, 2),
    ]
    assert disorder(receipts, from_beginning=False) == Disorder(wrongly_stale=["b"])
    assert disorder(receipts) == Disorder(wrongly_stale=["b", "d"])
