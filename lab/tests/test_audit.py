"""The audit on sane and on sick histories: what is broken is named, unknown never passes."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.checker.check import Audit, audit
from lab.checker.outcomes import LOOKS
from lab.checker.verdict import Verdict
from lab.history.log import TORN, HistoryError
from lab.tests.histories import (
    Record,
    attempted,
    dead_letter,
    events,
    moment,
    receipt,
    record,
    sane,
)

unhurried = settings(deadline=None, derandomize=True, max_examples=25)


def judged(records: list[Record]) -> Audit:
    return audit(events(records))


def verdicts(result: Audit) -> dict[int, Verdict]:
    """Every law that is not valid."""
    return {f.law: f.verdict for f in result.findings if f.verdict is not Verdict.VALID}


def of(records: list[Record], event: str, **fields: object) -> list[Record]:
    """The records of one kind, with these fields."""
    return [
        each
        for each in records
        if each["event"] == event and all(each.get(k) == v for k, v in fields.items())
    ]


def ids(records: list[Record], event: str) -> set[str]:
    return {each["message_id"] for each in of(records, event)}


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

Injection = Callable[[list[Record], random.Random], list[str]]
"""Breaks a sane history in place; returns the ids to be named."""


def _lose(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(sorted(ids(records, "accepted") & ids(records, "dead_letter")))
    records.remove(of(records, "dead_letter", message_id=chosen)[0])
    return [chosen]


def _lose_a_good_one(records: list[Record], rng: random.Random) -> list[str]:
    records[1:1] = [
        attempted("lone", 0.5, rng.choice(of(records, "receipt"))["identity"]),
        record("accepted", 0.5, message_id="lone", way="queue"),
    ]
    return ["lone"]


def _place_twice(records: list[Record], rng: random.Random) -> list[str]:
    """An effect and a dead letter; the dead letter breaks law 4 too where the message is good."""
    chosen = rng.choice(sorted(ids(records, "receipt")))
    records.insert(-1, dead_letter(chosen, 3))
    return [chosen]


def _come_from_nowhere(records: list[Record], rng: random.Random) -> list[str]:
    stray = receipt("stray", 2, "999", "created", observed_s=1, cursor="1.0")
    records.insert(rng.randrange(1, len(records)), stray)
    return ["stray"]


def _take_effect_after_refusal(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(sorted(ids(records, "refused")))
    records.append(receipt(chosen, 9, "998", "created", observed_s=1, cursor="9000.0"))
    return [chosen]


def _still_wait(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(sorted(ids(records, "accepted")))
    records.insert(-1, record("pending", 3, where="outbox", message_ids=[chosen]))
    return [chosen]


def _double(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "receipt"))
    again = {**chosen, "cursor": f"{chosen['cursor']}1", "effect": "unchanged"}
    records.insert(records.index(chosen) + 1, again)
    return [chosen["message_id"]]


def _overwrite(records: list[Record], rng: random.Random) -> list[str]:
    """A late message of the past changes a match after all others did."""
    chosen = rng.choice(of(records, "receipt"))["identity"]
    late = receipt("late", 9, chosen, "updated", observed_s=0.5, cursor="9000.0")
    records[-1:-1] = [attempted("late", 0.5, chosen), late]
    return ["late"]


def _call_stale(records: list[Record], rng: random.Random) -> list[str]:
    """The newest message of all changes nothing."""
    chosen = rng.choice(of(records, "receipt"))["identity"]
    fresh = receipt("fresh", 9, chosen, "stale", observed_s=8, cursor="9000.0")
    records[-1:-1] = [attempted("fresh", 8, chosen), fresh]
    return ["fresh"]


def _create_again(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "receipt"))["identity"]
    again = receipt("again", 9, chosen, "created", observed_s=8, cursor="9000.0")
    records[-1:-1] = [attempted("again", 8, chosen), again]
    return ["again"]


def _split_a_match(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "receipt"))["identity"]
    other = receipt("other", 9, chosen, "created", observed_s=8, cursor="9000.0")
    records[-1:-1] = [attempted("other", 8, chosen), {**other, "match_id": 4711}]
    return [chosen]


def _kill_a_good_one(records: list[Record], rng: random.Random) -> list[str]:
    lone = "good"
    records[1:1] = [
        attempted(lone, 0.5, "1"),
        record("unknown", 0.5, message_id=lone, way="queue", detail="cut"),
        dead_letter(lone, 2),
    ]
    return [lone]


def _die_without_a_reason(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "dead_letter"))
    chosen[rng.choice(["reason", "detail"])] = rng.choice(["", " \n", None])
    return [chosen["message_id"]]


def _take_a_broken_one(records: list[Record], rng: random.Random) -> list[str]:
    records[1:1] = [attempted("broken", 0.5, "997", expect="dead-letter")]
    records.append(receipt("broken", 9, "997", "created", observed_s=1, cursor="9000.0"))
    return ["broken"]


def _set_a_good_one_aside(records: list[Record], rng: random.Random) -> list[str]:
    records[1:1] = [
        attempted("good", 0.5, "1"),
        record("accepted", 0.5, message_id="good", way="outbox"),
    ]
    records.insert(-1, record("set_aside", 3, message_id="good", reason="referee: not a field"))
    return ["good"]


def _set_aside_without_a_reason(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "dead_letter"))
    records.remove(chosen)
    records.insert(-1, record("set_aside", 3, message_id=chosen["message_id"], reason=" "))
    return [chosen["message_id"]]


def _store_what_was_set_aside(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(sorted(ids(records, "receipt")))
    records.insert(-1, record("set_aside", 3, message_id=chosen, reason="no"))
    return [chosen]


def _remove_receipts(records: list[Record], rng: random.Random) -> list[str]:
    accepted = ids(records, "accepted")
    there = [each for each in of(records, "receipt") if each["message_id"] in accepted]
    gone = rng.sample(there, 3)
    records[-1:-1] = [
        record(
            "vanished",
            3,
            place="receipts",
            message_id=each["message_id"],
            cursor=each["cursor"],
            changed=False,
        )
        for each in gone
    ]
    return [each["message_id"] for each in gone]


def _rewrite_a_receipt(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "receipt"))
    at = {"message_id": chosen["message_id"], "cursor": chosen["cursor"]}
    records.insert(-1, record("vanished", 3, place="receipts", **at, changed=True))
    return [chosen["message_id"]]


def _refuse_without_a_reason(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "refused"))
    chosen["detail"] = ""
    return [chosen["message_id"]]


def _refuse_a_row_without_a_reason(records: list[Record], rng: random.Random) -> list[str]:
    of(records, "row_refused")[0]["reason"] = " "
    return []


def _fail_a_check_of_a_law(records: list[Record], rng: random.Random) -> list[str]:
    records.append(record("check", 3, name="order", verdict="invalid", detail="no", law=3))
    return []


INJECTIONS: list[tuple[Injection, set[int]]] = [
    (_lose, {1}),
    (_lose_a_good_one, {1}),
    (_place_twice, {1, 4}),
    (_come_from_nowhere, {1}),
    (_take_effect_after_refusal, {1}),
    (_still_wait, {1}),
    (_double, {2}),
    (_overwrite, {3}),
    (_call_stale, {3}),
    (_create_again, {3}),
    (_split_a_match, {3}),
    (_kill_a_good_one, {4}),
    (_die_without_a_reason, {4}),
    (_take_a_broken_one, {4}),
    (_set_a_good_one_aside, {4}),
    (_set_aside_without_a_reason, {4}),
    (_store_what_was_set_aside, {1, 4}),
    (_remove_receipts, {1, 2}),
    (_rewrite_a_receipt, {2}),
    (_refuse_without_a_reason, {4}),
    (_refuse_a_row_without_a_reason, {4}),
    (_fail_a_check_of_a_law, {3}),
]


@pytest.mark.parametrize(
    ("inject", "laws"), INJECTIONS, ids=[inject.__name__[1:] for inject, _ in INJECTIONS]
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
    lost, doubled = _lose(records, random.Random(1)), _double(records, random.Random(1))
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


# Unknown: what could not be decided.


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
    _lose(records, random.Random(1))
    of(records, "looked", what=what)[0]["ok"] = False
    result = judged(records)
    assert verdicts(result)[1] is Verdict.UNKNOWN
    assert (result.counts.lost, result.counts.undecided) == (0, 1)


def test_a_violation_that_was_seen_stays_one_though_a_look_failed() -> None:
    records = sane(5)
    _double(records, random.Random(1))
    of(records, "looked", what="queues")[0]["ok"] = False
    assert judged(records).verdict is Verdict.INVALID


def test_a_system_that_did_not_settle_decides_nothing() -> None:
    records = sane(5)
    _lose(records, random.Random(1))
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
