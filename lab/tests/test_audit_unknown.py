"""What could not be decided: unknown never passes, and nonsense is an error."""

from __future__ import annotations

import random

import pytest

from lab.checker.check import audit
from lab.checker.outcomes import LOOKS
from lab.checker.verdict import Verdict
from lab.history.log import TORN, HistoryError
from lab.tests.histories import (
    Record,
    record,
    sane,
)
from lab.tests.injections import double, ids, judged, lose, of, verdicts


@pytest.mark.parametrize("what", LOOKS)
@pytest.mark.parametrize("how", ["missing", "failed"])
def test_a_final_look_that_is_missing_or_failed_leaves_the_verdict_open(
    what: str, how: str
) -> None:
    records = sane(5)
    look = of(records, "looked", what=what)[0]
    if how == "missing":
        records.remove(look)
    else:
        look |= {"ok": False, "detail": "connection refused"}
    result = judged(records)
    assert result.verdict is Verdict.UNKNOWN
    assert verdicts(result)[5] is Verdict.UNKNOWN
    assert what.replace("_", " ") in result.why


@pytest.mark.parametrize("what", ["receipts", "dead_letters", "queues", "outbox"])
def test_what_is_missing_may_be_where_nobody_looked(what: str) -> None:
    records = sane(5)
    lose(records, random.Random(1))
    of(records, "looked", what=what)[0]["ok"] = False
    result = judged(records)
    assert verdicts(result)[1] is Verdict.UNKNOWN
    assert (result.counts.lost, result.counts.undecided) == (0, 1)


def test_a_violation_that_was_seen_stays_one_though_a_look_failed() -> None:
    records = sane(5)
    double(records, random.Random(1))
    of(records, "looked", what="queues")[0]["ok"] = False
    assert judged(records).verdict is Verdict.INVALID


def test_a_system_that_did_not_settle_decides_nothing() -> None:
    records = sane(5)
    lose(records, random.Random(1))
    of(records, "settled")[0] |= {"ok": False, "waiting": 1}
    result = judged(records)
    assert result.verdict is Verdict.UNKNOWN
    assert "did not settle" in result.why
    assert result.counts.undecided == 1


def test_messages_that_wait_without_their_names_may_be_the_missing_ones() -> None:
    records = [each for each in sane(5, 400) if each["event"] != "dead_letter"]
    missing = len(ids(sane(5, 400), "dead_letter"))
    of(records, "settled")[0]["ok"] = True
    records.insert(-1, record("pending", 3, where="queue", count=missing - 1))
    result = judged(records)
    assert (result.counts.lost, result.counts.undecided) == (1, missing - 1)
    assert result.counts.waiting == missing - 1


def test_an_empty_history_is_unknown() -> None:
    result = audit([])
    assert result.verdict is Verdict.UNKNOWN
    assert "no message was attempted" in result.why
    assert {each.met for each in result.objectives} == {None}


@pytest.mark.parametrize("event", ["started", "settled", "ended"])
def test_a_run_without_beginning_settling_or_end_is_unknown(event: str) -> None:
    result = judged([each for each in sane(5) if each["event"] != event])
    assert verdicts(result)[5] is Verdict.UNKNOWN
    assert result.verdict is Verdict.UNKNOWN


def test_a_run_without_messages_is_unknown() -> None:
    about = {"attempted", "accepted", "refused", "unknown", "receipt", "dead_letter"}
    result = judged([each for each in sane(5) if each["event"] not in about])
    assert result.verdict is Verdict.UNKNOWN
    assert "nothing was tested" in result.why


def test_what_the_recorder_could_not_see_is_a_doubt() -> None:
    result = judged([*sane(5), record("doubt", 3, detail="the recorder failed: boom")])
    assert verdicts(result) == {5: Verdict.UNKNOWN}
    assert "the recorder failed: boom" in result.why


def test_a_system_that_did_not_settle_says_what_was_seen_last() -> None:
    records = sane(5)
    of(records, "settled")[0] |= {"ok": False, "waiting": 7, "detail": "no count of matches.x"}
    assert "waiting: 7; no count of matches.x" in judged(records).why


def test_a_torn_history_is_unknown() -> None:
    result = judged([*sane(5), record(TORN, 9, bytes=12)])
    assert verdicts(result) == {5: Verdict.UNKNOWN}
    assert "torn" in result.why


@pytest.mark.parametrize(
    "odd",
    [
        record("sighed", 1),
        record("fault", 1, name="never begun", phase="end", detail=""),
        record("started", 1, name="again", substrate="fake", seed=1, settings={}),
        record("accepted", 1, message_id="from nowhere", way="queue"),
    ],
    ids=lambda odd: str(odd["event"]),
)
def test_a_history_that_contradicts_itself_is_not_trusted(odd: Record) -> None:
    records = sane(5)
    records.insert(3, odd)
    assert verdicts(judged(records))[5] is Verdict.UNKNOWN


@pytest.mark.parametrize("verdict", ["invalid", "unknown"])
def test_a_check_made_elsewhere_enters_the_verdict(verdict: str) -> None:
    records = sane(5)
    of(records, "check")[0]["verdict"] = verdict
    result = judged(records)
    assert result.verdict.value == verdict
    assert "season truth" in result.why


@pytest.mark.parametrize(
    "broken",
    [
        {"event": "attempted", "expect": "whatever"},
        {"event": "attempted", "message_id": None},
        {"event": "receipt", "effect": "duplicate"},
        {"event": "receipt", "match_id": "12"},
        {"event": "receipt", "committed_at": "2025-10-18T10:00:00"},
        {"event": "check", "verdict": "fine"},
        {"event": "check", "law": 6},
        {"event": "looked", "ok": "yes"},
        {"event": "started", "seed": "7"},
        {"event": "started", "settings": {"objectives": {"latency_mean_ms": "500"}}},
        {"event": "started", "settings": {"objectives": {"latency": 500}}},
        {"event": "started", "settings": {"objectives": [500]}},
    ],
    ids=str,
)
def test_an_event_that_says_nonsense_is_an_error_that_names_its_line(broken: Record) -> None:
    records = sane(5)
    target = of(records, broken["event"])[0]
    target |= broken
    with pytest.raises(HistoryError, match=f"line {records.index(target) + 1}: "):
        judged(records)


@pytest.mark.parametrize(
    "waits",
    [{"count": -1}, {"count": True}, {}, {"message_ids": "m1"}, {"message_ids": [1]}],
    ids=str,
)
def test_a_pending_that_does_not_say_what_waits_is_an_error(waits: Record) -> None:
    with pytest.raises(HistoryError, match="pending"):
        judged([*sane(5), record("pending", 3, where="queue", **waits)])


def test_what_vanished_from_an_unknown_place_is_an_error() -> None:
    with pytest.raises(HistoryError, match="place of event 'vanished'"):
        judged([*sane(5), record("vanished", 3, place="the moon", message_id="m000001")])
