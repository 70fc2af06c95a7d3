"""The laws on small histories written by hand: which law, how many, and who is named."""

from __future__ import annotations

import pytest

from lab.checker.laws import Finding
from lab.checker.verdict import Verdict
from lab.tests.histories import (
    Record,
    attempted,
    dead_letter,
    moment,
    record,
)
from lab.tests.injections import judged, verdicts
from lab.tests.small_runs import accepted, ran, stored


def found(law: int, *middle: Record) -> Finding:
    """What is found about a law; the others hold."""
    result = judged(ran(*middle))
    assert verdicts(result).keys() <= {law}
    return result.finding(law)


def test_the_run_that_all_others_are_made_from_is_valid() -> None:
    result = judged(ran())
    assert verdicts(result) == {}
    assert result.valid, result.why
    assert [each.law for each in result.findings] == [1, 2, 3, 4, 5]
    assert {each.examples for each in result.findings} == {()}
    assert result.finding(1).explanation == (
        "Each of 1 accepted messages ended in exactly one place."
    )
    assert result.finding(2).explanation == "Each of 1 effects happened once."
    assert "1 matches" in result.finding(3).explanation


# Conservation.


def test_every_lost_message_is_counted_and_named() -> None:
    finding = found(1, *accepted("b"), *accepted("a"))
    assert finding.verdict is Verdict.INVALID
    assert finding.explanation == "2 accepted, and in no place after the system settled."
    assert finding.examples == ("a", "b")


def test_a_loss_that_may_be_hidden_among_nameless_ones_says_so() -> None:
    waits = record("pending", 9, where="queue", count=1)
    finding = found(1, *accepted("a"), *accepted("b"), waits)
    assert finding.verdict is Verdict.INVALID
    assert finding.explanation == (
        "1 accepted, and in no place after the system settled, among those named; "
        "1 still waiting after the system settled; "
        "1 accepted and not seen, which may be on their way."
    )
    assert finding.examples == ("a", "b")


def test_what_is_undecided_is_named_too() -> None:
    not_settled = record("settled", 8, ok=False, seconds=60, waiting=0, detail="")
    waits = [
        record("pending", 9, where="queue", count=2),
        record("pending", 9, where="outbox", message_ids=["kept"]),
    ]
    result = judged(ran(*accepted("kept"), *accepted("a"), *waits, settled=not_settled))
    assert verdicts(result) == {1: Verdict.UNKNOWN, 5: Verdict.UNKNOWN}
    assert result.finding(1).examples == ("a",)
    assert result.finding(1).explanation.startswith("1 accepted and not seen")
    assert result.counts.waiting == 3


def test_what_waits_with_and_without_a_name_is_added_up() -> None:
    waits = [
        record("pending", 9, where="outbox", message_ids=["b", "a"]),
        record("pending", 9, where="queue", count=2),
    ]
    finding = found(1, *accepted("a"), *accepted("b"), *waits)
    assert finding.explanation == "4 still waiting after the system settled."
    assert finding.examples == ("a", "b")


def test_a_message_in_two_places_is_named_with_the_places() -> None:
    """A message that is broken, so that its death alone would be right."""
    broken = [*accepted("x", expect="dead-letter"), stored("x", 3, "2")]
    for there, called in (
        (dead_letter("x", 4), "dead letter"),
        (record("set_aside", 8, message_id="x", reason="no"), "set aside in the outbox"),
    ):
        result = judged(ran(*broken, there))
        assert result.finding(1).explanation == f"1 in two places: effect and {called}."
        assert result.finding(1).examples == ("x",)


@pytest.mark.parametrize(
    "placed",
    [
        stored("stray", 3, "2"),
        dead_letter("stray", 4),
        record("set_aside", 8, message_id="stray", reason="no"),
    ],
    ids=lambda placed: str(placed["event"]),
)
def test_what_nobody_sent_is_unexpected_wherever_it_is(placed: Record) -> None:
    finding = found(1, placed)
    assert finding.explanation.startswith("1 took effect or were dead-lettered without ever")
    assert finding.examples == ("stray",)


@pytest.mark.parametrize("placed", [stored("no", 3, "2"), dead_letter("no", 4)])
@pytest.mark.parametrize(
    ("answers", "broken"),
    [
        (["refused"], True),
        (["refused", "unknown"], False),
        (["refused", "accepted"], False),
        (["unknown"], False),
    ],
)
def test_only_what_was_certainly_refused_must_not_turn_up(
    placed: Record, answers: list[str], broken: bool
) -> None:
    expect = "effect" if placed["event"] == "receipt" else "dead-letter"
    answered = [record(each, 1, message_id="no", way="http", detail="422") for each in answers]
    finding = found(1, attempted("no", 1, "2", expect=expect), *answered, placed)
    assert (finding.verdict is Verdict.INVALID) is broken
    if broken:
        assert finding.explanation == "1 took effect or died after a definite refusal."
        assert finding.examples == ("no",)


# One effect.


def test_every_message_that_took_effect_twice_is_counted_and_named() -> None:
    again = [stored("good", n, "7", effect="unchanged") for n in (1.5, 1.6)]
    finding = found(2, *again)
    assert finding.explanation == "1 took effect more than once."
    assert finding.examples == ("good",)


def test_receipts_that_are_gone_or_changed_are_counted_apart() -> None:
    at = {"place": "receipts", "message_id": "good"}
    gone = record("vanished", 9, **at, cursor="1.4", changed=False)
    changed = record("vanished", 9, **at, changed=True)
    assert found(2, changed).explanation == "1 had a receipt that reads differently now."
    assert found(2, changed).examples == ("good",)
    result = judged(ran(gone))
    assert verdicts(result) == {1: Verdict.INVALID, 2: Verdict.INVALID}
    assert result.finding(2).explanation == "1 had a receipt that is no longer there."
    assert result.finding(2).examples == ("good",)
    assert result.counts.lost == 1


def test_a_receipt_that_is_gone_does_not_take_another_of_its_message_with_it() -> None:
    """It is known by its cursor and its message, both."""
    again = stored("good", 3, "7", effect="unchanged")
    gone = record("vanished", 9, place="receipts", message_id="good", cursor="1.4")
    result = judged(ran(again, gone))
    assert verdicts(result) == {2: Verdict.INVALID}
    assert (result.counts.lost, result.counts.duplicated, result.counts.unchanged) == (0, 0, 1)


def test_two_messages_at_one_cursor_are_two_receipts() -> None:
    records = ran(*accepted("other"), stored("other", identity="8"))
    assert judged(records).valid
    assert judged(records).counts.committed == 2


# Newest wins.


@pytest.mark.parametrize(
    ("receipts", "explanation", "named"),
    [
        (
            [stored("old", 3, "7", effect="updated", observed_at=moment(0))],
            "1 changed a match that already held a newer observation.",
            ("old",),
        ),
        (
            [stored("new", 3, "7", effect="stale", observed_at=moment(2))],
            "1 called stale, though nothing newer was stored.",
            ("new",),
        ),
        (
            [
                stored("b", 3, "7", observed_at=moment(2)),
                stored("a", 4, "7", observed_at=moment(3)),
            ],
            "2 created a match that was stored already.",
            ("b", "a"),
        ),
        (
            [stored("a", 3, "7", match_id=8), stored("b", 4, "9"), stored("c", 5, "9", match_id=3)],
            "2 matches are stored more than once.",
            ("7", "9"),
        ),
    ],
)
def test_each_way_in_which_an_older_one_wins_is_told_apart(
    receipts: list[Record], explanation: str, named: tuple[str, ...]
) -> None:
    sent = [attempted(each["message_id"], 1, "7") for each in receipts]
    finding = found(3, *sent, *receipts)
    assert finding.explanation == explanation
    assert finding.examples == named


# No silent drop.


@pytest.mark.parametrize(
    ("middle", "explanation"),
    [
        (
            [*accepted("x", expect="dead-letter"), dead_letter("x", 4, reason=" ")],
            "1 dead-lettered without a reason that a person can read.",
        ),
        (
            [*accepted("x", expect="dead-letter"), dead_letter("x", 4, detail=None)],
            "1 dead-lettered without a reason that a person can read.",
        ),
        ([*accepted("x"), dead_letter("x", 4)], "1 dead-lettered in spite of being valid."),
        (
            [
                *accepted("x", expect="dead-letter"),
                record("set_aside", 8, message_id="x", reason="\n"),
            ],
            "1 set aside in the outbox without a reason that a person can read.",
        ),
        (
            [*accepted("x"), record("set_aside", 8, message_id="x", reason="no")],
            "1 set aside in the outbox in spite of being valid.",
        ),
        (
            [*accepted("x", expect="dead-letter"), stored("x", 3, "2")],
            "1 took effect in spite of being invalid.",
        ),
        (
            [attempted("x", 1, "2"), record("refused", 1, message_id="x", way="http", detail=" ")],
            "1 refused without a reason.",
        ),
    ],
)
def test_each_way_of_dropping_silently_is_told_apart(
    middle: list[Record], explanation: str
) -> None:
    finding = found(4, *middle)
    assert finding.explanation == explanation
    assert finding.examples == ("x",)


def test_rows_without_a_reason_are_counted_one_by_one() -> None:
    rows = [
        record("row_refused", 1, page="U14", row=n, reason=reason, excerpt="TBD")
        for n, reason in enumerate(["", "no date", None])
    ]
    finding = found(4, *rows)
    assert finding.explanation == "2 rows of pages refused without a reason."
    assert finding.examples == ()


# How a finding is told.


def test_ids_are_cut_to_what_the_format_takes_and_named_once() -> None:
    """A message in a place and never sent, with an id as long as somebody else's likes."""
    long = "x" * 300
    finding = found(1, stored(long, 3, "2"))
    assert finding.examples == ("x" * 128,)
    changed = record("vanished", 9, place="receipts", message_id="good", changed=True)
    again = stored("good", 3, "7", effect="unchanged")
    assert found(2, again, changed).examples == ("good",)


@pytest.mark.parametrize(("verdict", "law"), [("invalid", 4), ("unknown", 5)])
def test_a_check_joins_the_law_that_it_names_and_no_other(verdict: str, law: int) -> None:
    checks = [
        record("check", 9, name="one", verdict=verdict, detail="why", law=law),
        record("check", 9, name="two", verdict="valid", detail="fine", law=law),
        record("check", 9, name="three", verdict="valid", detail="fine"),
    ]
    finding = found(law, *checks)
    assert finding.verdict.value == verdict
    assert finding.explanation == f"check “one” is {verdict}: why."


def test_what_is_broken_is_told_before_what_is_open() -> None:
    doubt = record("check", 9, name="look", verdict="unknown", detail="away", law=1)
    finding = found(1, *accepted("a"), doubt)
    assert finding.verdict is Verdict.INVALID
    assert finding.explanation == (
        "1 accepted, and in no place after the system settled; check “look” is unknown: away."
    )
