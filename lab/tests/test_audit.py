"""The audit on sane and on broken histories: what is broken is named."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.checker.verdict import Verdict
from lab.tests.histories import (
    dead_letter,
    moment,
    record,
    sane,
)
from lab.tests.injections import INJECTIONS, Injection, double, ids, judged, lose, of, verdicts

unhurried = settings(deadline=None, derandomize=True, max_examples=25)


# Sane.


@unhurried
@given(st.integers(0, 2**32), st.integers(8, 120), st.integers(1, 12))
def test_a_sane_run_is_valid(seed: int, messages: int, matches: int) -> None:
    records = sane(seed, messages, matches)
    result = judged(records)
    assert result.valid, result.why
    counts = result.counts
    assert counts.attempted == messages
    assert counts.committed + counts.unchanged == len(ids(records, "receipt"))
    assert counts.dead_lettered == len(ids(records, "dead_letter")) > 0
    assert counts.recovered == len(ids(records, "receipt") - ids(records, "accepted")) > 0
    assert counts.refused > 0
    assert counts.unconfirmed > 0
    assert not any(
        (counts.lost, counts.duplicated, counts.unexpected, counts.undecided, counts.waiting)
    )
    assert (
        counts.attempted
        == counts.committed
        + counts.unchanged
        + counts.dead_lettered
        + counts.refused
        + counts.unconfirmed
    )


def test_the_order_of_the_lines_matters_only_among_receipts() -> None:
    records = sane(3)
    receipts = iter(of(records, "receipt"))
    random.Random(1).shuffle(records)
    mixed = [next(receipts) if each["event"] == "receipt" else each for each in records]
    ends = [each for each in mixed if each["event"] != "fault"] + of(sane(3), "fault")
    assert judged(ends).counts == judged(sane(3)).counts
    assert judged(ends).valid


# Sick: each injection breaks one law, and exactly that one is named.


@pytest.mark.parametrize(
    ("inject", "laws"), INJECTIONS, ids=[inject.__name__ for inject, _ in INJECTIONS]
)
@unhurried
@given(seed=st.integers(0, 2**32))
def test_one_fault_in_a_sane_history_breaks_exactly_its_law(
    inject: Injection, laws: set[int], seed: int
) -> None:
    records = sane(seed)
    named = inject(records, random.Random(seed))
    result = judged(records)
    assert verdicts(result) == dict.fromkeys(laws, Verdict.INVALID)
    assert result.verdict is Verdict.INVALID
    assert set(named) <= {each for law in laws for each in result.finding(law).examples}
    assert "law" in result.why


def test_many_faults_at_once_are_counted_and_ten_are_named() -> None:
    records = [each for each in sane(5, 400) if each["event"] != "dead_letter"]
    missing = ids(sane(5, 400), "dead_letter")
    result = judged(records)
    assert result.counts.lost == len(missing) > 10
    assert len(result.finding(1).examples) == 10
    assert set(result.finding(1).examples) <= missing
    assert f"{len(missing)} accepted, and in no place" in result.finding(1).explanation


def test_a_duplicated_effect_does_not_hide_a_lost_one() -> None:
    records = sane(5)
    lost, doubled = lose(records, random.Random(1)), double(records, random.Random(1))
    result = judged(records)
    assert (result.counts.lost, result.counts.duplicated) == (1, 1)
    assert result.finding(1).examples == tuple(lost)
    assert result.finding(2).examples == tuple(doubled)


def test_a_receipt_that_was_read_twice_is_one_effect() -> None:
    records = sane(5)
    again = of(records, "receipt")
    result = judged(records[:-1] + again + records[-1:])
    assert result.valid
    assert result.counts.duplicated == 0


def test_a_dead_letter_that_was_replayed_and_took_effect_is_in_one_place() -> None:
    records = sane(5)
    chosen = of(records, "receipt")[0]["message_id"]
    died = dead_letter(chosen, 1.5, reason="exhausted", detail="database away")
    gone = record("vanished", 2.5, place="dead_letters", message_id=chosen)
    assert verdicts(judged([*records[:-1], died, records[-1]])).keys() == {1, 4}
    assert judged([*records[:-1], died, gone, records[-1]]).valid


def test_a_dead_letter_that_is_gone_and_nowhere_else_is_lost() -> None:
    records = sane(5)
    chosen = min(ids(records, "accepted") & ids(records, "dead_letter"))
    gone = record("vanished", 2.5, place="dead_letters", message_id=chosen)
    result = judged([*records[:-1], gone, records[-1]])
    assert verdicts(result) == {1: Verdict.INVALID}
    assert result.finding(1).examples == (chosen,)


def test_what_breaks_the_contract_may_be_set_aside_by_the_scraper() -> None:
    """Accepted into the outbox, refused by the API later: it is in a place, with its reason."""
    records = sane(5)
    chosen = min(ids(records, "accepted") & ids(records, "dead_letter"))
    records.remove(of(records, "dead_letter", message_id=chosen)[0])
    records.insert(-1, record("set_aside", 3, message_id=chosen, reason="home_score = -1"))
    result = judged(records)
    assert result.valid, result.why
    assert (result.counts.set_aside, result.counts.lost) == (1, 0)
    assert [death.detail for death in result.story.deaths if death.queue == "outbox"] == [
        "home_score = -1"
    ]


def test_what_was_refused_for_good_and_set_aside_contradicts_nothing() -> None:
    records = sane(5)
    chosen = min(ids(records, "refused"))
    of(records, "attempted", message_id=chosen)[0]["expect"] = "dead-letter"
    records.insert(-1, record("set_aside", 3, message_id=chosen, reason="home_score = -1"))
    assert judged(records).valid


def test_what_was_set_aside_at_an_earlier_look_may_have_been_sent_again_since() -> None:
    records = sane(5)
    chosen = min(ids(records, "receipt"))
    settled = records.index(of(records, "settled")[0])
    records.insert(settled, record("set_aside", 1, message_id=chosen, reason="wrong token"))
    assert judged(records).valid


# Size.


def test_a_hundred_thousand_events_are_audited() -> None:
    records = sane(1, messages=34_500, matches=3)
    assert len(records) >= 100_000
    assert judged(records).valid


def test_times_and_names_of_a_run_are_told() -> None:
    result = judged(sane(5))
    assert (result.name, result.substrate, result.seed) == ("sane", "fake", 5)
    assert result.started is not None
    assert result.started.isoformat() == moment(0).replace(".000000", "")
    assert result.seconds == pytest.approx(2.6)
    (fault,) = result.faults
    assert (fault.name, fault.to is not None) == ("worker-killed", True)
