"""What leaves a law open, and how that is told."""

from __future__ import annotations

import pytest

from lab.checker.verdict import Verdict
from lab.tests.histories import Record, record
from lab.tests.injections import judged, verdicts
from lab.tests.small_runs import ran

# What a final look that failed leaves open: the laws that needed it, and no others.


@pytest.mark.parametrize(
    ("what", "open_laws"),
    [
        ("receipts", {1, 2, 3, 4, 5}),
        ("dead_letters", {1, 4, 5}),
        ("queues", {1, 5}),
        ("outbox", {1, 4, 5}),
        ("truth", {5}),
    ],
)
@pytest.mark.parametrize(
    ("look", "said"),
    [
        (None, "no probe"),
        ({"ok": False, "detail": "no answer"}, "no answer"),
        ({"ok": False, "detail": ""}, "no detail"),
    ],
)
def test_a_failed_look_leaves_open_the_laws_that_need_it(
    what: str, open_laws: set[int], look: Record | None, said: str
) -> None:
    records = [each for each in ran() if each.get("what") != what]
    if look is not None:
        records.insert(-1, record("looked", 9, what=what, **look))
    result = judged(records)
    assert verdicts(result) == dict.fromkeys(open_laws, Verdict.UNKNOWN)
    for law in open_laws:
        assert result.finding(law).explanation == (
            f"{what.replace('_', ' ')} could not be probed ({said})."
        )


def test_the_newest_look_at_a_place_is_the_one_that_counts() -> None:
    failed = record("looked", 5, what="queues", ok=False, detail="no answer")
    assert judged(ran(failed)).valid
    assert verdicts(judged([*ran(), failed])) == {1: Verdict.UNKNOWN, 5: Verdict.UNKNOWN}


# All was looked at.


@pytest.mark.parametrize(
    ("settled", "said"),
    [
        ({"waiting": 0}, "the system did not settle within 60 s (waiting: 0)"),
        ({"waiting": None}, "the system did not settle within 60 s"),
        ({"waiting": None, "detail": "no answer"}, "within 60 s (no answer)"),
    ],
)
def test_a_system_that_did_not_settle_is_doubted_in_its_own_words(
    settled: Record, said: str
) -> None:
    result = judged(ran(settled=record("settled", 8, ok=False, seconds=60.0, **settled)))
    assert verdicts(result) == {5: Verdict.UNKNOWN}
    assert result.finding(5).explanation.endswith(f"{said}.")


def test_ten_doubts_are_told_and_the_others_counted() -> None:
    def doubted(count: int) -> str:
        result = judged(ran(*(record("doubt", 3, detail=f"doubt {n}") for n in range(count))))
        assert verdicts(result) == {5: Verdict.UNKNOWN}
        return result.finding(5).explanation

    assert doubted(10).endswith("doubt 8; doubt 9.")
    assert doubted(13).endswith("doubt 9; 3 more doubts of this kind.")


def test_what_was_accepted_without_an_attempt_is_named() -> None:
    strays = [record("accepted", 1, message_id=each, way="queue") for each in ("b", "a")]
    strays.append(record("pending", 9, where="outbox", message_ids=["a", "b"]))
    finding = judged(ran(*strays)).finding(5)
    assert finding.verdict is Verdict.UNKNOWN
    assert finding.explanation == "2 accepted without a record of the attempt."
    assert finding.examples == ("a", "b")
