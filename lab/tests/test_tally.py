"""What the audit reads out of each event, field by field, before anything is decided."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from lab.checker.records import (
    Attempt,
    Check,
    Death,
    Depth,
    Fault,
    Receipt,
    Refusal,
    Settled,
)
from lab.checker.tally import Tally, tally
from lab.checker.verdict import Verdict
from lab.history.log import EVENTS, TORN, HistoryError
from lab.tests.histories import BEGUN, Record, dead_letter, events, moment, receipt, record
from system.contract.submission import Effect


def seen(*records: Record) -> Tally:
    return tally(events(records))


def at(seconds: float) -> Any:
    return BEGUN + timedelta(seconds=seconds)


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_that_can_be_written_is_known(event: str) -> None:
    """One that is not leaves a doubt, so that no run with it could ever be valid."""
    found = Tally()
    with suppress(HistoryError):  # its fields are missing, but it was understood
        found.add(*events([record(event, 1)]))
    assert not any("is not known here" in doubt for doubt in found.doubts)


def test_an_event_that_is_not_known_leaves_a_doubt_and_the_rest_is_read() -> None:
    found = seen(record("sighed", 1), record("ended", 2))
    assert found.doubts == ["line 1: event 'sighed' is not known here"]
    assert found.ended == at(2)


def test_the_time_of_a_run_is_between_its_first_and_its_last_event_in_any_order() -> None:
    found = seen(record("ended", 5), record("scrape", 9), record("scrape", 2), record("scrape", 4))
    assert (found.first, found.last) == (at(2), at(9))


def test_a_torn_line_has_no_time_of_its_own() -> None:
    found = seen(record("scrape", 5), record(TORN, -99, bytes=3))
    assert (found.first, found.last) == (at(5), at(5))
    assert found.doubts == ["the history is torn: line 2, its last, was cut off"]


def test_a_second_beginning_is_doubted_and_counts() -> None:
    found = seen(record("started", 1, name="a"), record("started", 2, name="b"))
    assert found.doubts == ["line 2: a second run was started in the same history"]
    assert found.started is not None
    assert found.started.fields["name"] == "b"


@pytest.mark.parametrize(
    ("expect", "valid"),
    [("effect", True), ("dead-letter", False)],
)
def test_an_attempt_has_its_time_of_publishing_and_what_must_become_of_it(
    expect: str, valid: bool
) -> None:
    about = {"message_id": "m", "expect": expect}
    assert seen(record("attempted", 3, **about, published_at=moment(2))).attempted == {
        "m": Attempt(at(2), valid)
    }
    for nothing in ({}, {"published_at": None}):  # it was published when that was written
        assert seen(record("attempted", 3, **about, **nothing)).attempted["m"].published_at == at(3)


def test_the_first_attempt_of_a_message_counts() -> None:
    found = seen(
        record("attempted", 1, message_id="m", expect="effect"),
        record("attempted", 2, message_id="m", expect="dead-letter"),
    )
    assert found.attempted == {"m": Attempt(at(1), True)}


def test_answers_are_told_apart_and_the_newest_reason_stays() -> None:
    found = seen(
        record("accepted", 1, message_id="a"),
        record("unknown", 1, message_id="b"),
        record("refused", 1, message_id="c", detail="HTTP 401"),
        record("refused", 2, message_id="c", detail="HTTP 422"),
        record("refused", 2, message_id="d", detail=None),
    )
    assert (found.accepted, found.unsure) == ({"a"}, {"b"})
    assert found.refused == {"c": "HTTP 422", "d": ""}


def test_a_receipt_is_read_whole() -> None:
    (found,) = seen(
        {
            **receipt("m", 3, "77", "updated", observed_s=1, cursor="7.1"),
            "received_at": moment(2),
        }
    ).receipts.items()
    assert found == (
        ("7.1", "m"),
        Receipt("m", "77", 77, Effect.UPDATED, at(1), at(2), at(3)),
    )


@pytest.mark.parametrize("effect", ["created", "updated", "filled", "stale", "unchanged"])
def test_every_effect_that_leaves_a_receipt_is_taken(effect: str) -> None:
    assert seen(receipt("m", 3, "7", effect, observed_s=1, cursor="7.1")).receipts


def test_a_receipt_that_is_read_again_is_the_one_that_was_read_first() -> None:
    one = receipt("m", 3, "7", "updated", observed_s=1, cursor="7.1")
    (found,) = seen(one, one | {"effect": "stale"}).receipts.values()
    assert found.effect is Effect.UPDATED


def test_a_dead_letter_is_read_whole_and_its_first_death_counts() -> None:
    death = dead_letter("m", 3, died_at=moment(2))
    assert seen(death, dead_letter("m", 4, reason="other")).dead == {
        "m": Death(
            "m",
            "invalid",
            "home_score = -1: must be 0 or more",
            "worker-1",
            at(2),
            "matches.process",
        )
    }
    assert seen(dead_letter("m", 3, died_at=None)).dead["m"].died_at == at(3)


def test_what_was_set_aside_is_a_death_in_the_outbox() -> None:
    assert seen(record("set_aside", 3, message_id="m", reason="not a field")).aside == {
        "m": Death("m", "refused", "not a field", "scraper", at(3), "outbox")
    }


def test_what_vanished_is_gone_from_its_place_only() -> None:
    about = {"message_id": "m", "cursor": "7.1"}
    begun = [
        receipt("m", 3, "7", "updated", observed_s=1, cursor="7.1"),
        dead_letter("m", 3),
        dead_letter("n", 3),
    ]
    gone = seen(*begun, record("vanished", 4, place="receipts", **about, changed=False))
    assert (gone.gone, gone.changed, {*gone.dead}) == ({("7.1", "m")}, set(), {"m", "n"})
    assert gone.own_receipts() == []
    changed = seen(*begun, record("vanished", 4, place="receipts", **about, changed=True))
    assert (changed.gone, changed.changed) == (set(), {"m"})
    assert len(changed.own_receipts()) == 1
    dead = seen(*begun, record("vanished", 4, place="dead_letters", message_id="m"))
    assert (dead.gone, dead.changed, {*dead.dead}) == (set(), set(), {"n"})
    # One that was never seen may be said to be gone.
    assert seen(record("vanished", 4, place="dead_letters", message_id="m")).dead == {}


def test_what_waits_is_named_or_counted() -> None:
    found = seen(
        record("pending", 1, message_ids=["a", "b"], count=9),
        record("pending", 1, message_ids=["b", "c"]),
        record("pending", 1, count=2),
        record("pending", 1, count=0),
        record("pending", 1, count=3),
    )
    assert (found.pending, found.pending_nameless) == ({"a", "b", "c"}, 5)


def test_settling_forgets_what_waited_and_was_set_aside_before() -> None:
    """Both are looked at again afterwards; what is counted twice would convict an honest system."""
    found = seen(
        record("pending", 1, message_ids=["a"]),
        record("pending", 1, count=2),
        record("set_aside", 1, message_id="m", reason="no"),
        record("settled", 2, ok=False, seconds=7.5, waiting=3, detail="no answer"),
    )
    assert found.settled == Settled(False, 7.5, "3", "no answer")
    assert (found.pending, found.pending_nameless, found.aside) == (set(), 0, {})
    assert seen(record("settled", 2, ok=True, seconds=1)).settled == Settled(True, 1, "", "")


def test_faults_end_in_the_order_in_which_those_of_a_name_began() -> None:
    def fault(at_s: float, name: str, phase: str) -> Record:
        return record("fault", at_s, name=name, phase=phase)

    found = seen(
        fault(1, "cut", "begin"),
        fault(2, "killed", "begin"),
        fault(3, "cut", "begin"),
        fault(4, "killed", "end"),
        fault(5, "cut", "end"),
        fault(6, "cut", "end"),
        fault(7, "paused", "begin"),
    )
    assert found.doubts == []
    assert found.faults == [
        Fault("cut", at(1), at(5)),
        Fault("killed", at(2), at(4)),
        Fault("cut", at(3), at(6)),
        Fault("paused", at(7)),
    ]
    too_often = seen(fault(1, "cut", "begin"), fault(2, "cut", "end"), fault(3, "cut", "end"))
    assert too_often.doubts == ["line 3: fault 'cut' ended, but never began"]
    assert too_often.faults == [Fault("cut", at(1), at(2))]


@pytest.mark.parametrize("law", [None, 1, 2, 3, 4, 5])
def test_a_check_is_read_whole(law: int | None) -> None:
    check = record("check", 1, name="n", verdict="unknown", detail="away", law=law)
    assert seen(check).checks == [Check("n", Verdict.UNKNOWN, "away", law)]


def test_rows_depths_and_looks_are_read_whole() -> None:
    found = seen(
        record("row_refused", 1, page="U14", row=3, reason="no date", excerpt=None),
        record("depth", 2, queue="q", ready=4),
        record("looked", 3, what="queues", ok=False, detail="away"),
        record("looked", 4, what="queues", ok=True, detail=None),
        record("doubt", 5, detail="the disk was full"),
    )
    assert found.rows == [Refusal("U14", "3", "no date", "")]
    assert found.depths == [Depth(at(2), "q", 4)]
    assert found.looks == {"queues": (True, "")}
    assert found.doubts == ["the disk was full"]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (record("attempted", 1, message_id="m", expect="x"), "expect"),
        (receipt("m", 1, "7", "invalid", observed_s=1, cursor="1") | {}, "effect"),
        (receipt("m", 1, "7", "stale", observed_s=1, cursor="1") | {"match_id": True}, "match_id"),
        (receipt("m", 1, "7", "stale", observed_s=1, cursor="1") | {"match_id": 7.0}, "match_id"),
        (receipt("m", 1, "7", "stale", observed_s=1, cursor="1") | {"cursor": 1}, "cursor"),
        (receipt("m", 1, "7", "stale", observed_s=1, cursor="1") | {"identity": 1}, "identity"),
        (
            receipt("m", 1, "7", "stale", observed_s=1, cursor="1") | {"observed_at": None},
            "observed_at",
        ),
        (
            receipt("m", 1, "7", "stale", observed_s=1, cursor="1") | {"received_at": None},
            "received_at",
        ),
        (dead_letter("m", 1, died_at="yesterday"), "died_at"),
        (record("vanished", 1, place="x", message_id="m"), "place"),
        (record("vanished", 1, place="receipts", message_id="m"), "cursor"),
        (record("pending", 1, message_ids=["a", 1]), "message_ids"),
        (record("pending", 1, message_ids="ab"), "message_ids"),
        (record("pending", 1, count=2.0), "count"),
        (record("pending", 1, count=-1), "count"),
        (record("pending", 1, count=True), "count"),
        (record("fault", 1, name="x"), "phase"),
        (record("check", 1, name="x", verdict="fine"), "verdict"),
        (record("check", 1, name="x", verdict="valid", law=0), "law"),
        (record("check", 1, name="x", verdict="valid", law=True), "law"),
        (record("settled", 1, ok=1, seconds=1), "ok"),
        (record("settled", 1, ok=True, seconds="1"), "seconds"),
    ],
    ids=lambda given: given if isinstance(given, str) else given["event"],
)
def test_a_field_that_is_not_what_it_must_be_is_named(broken: Record, said: str) -> None:
    with pytest.raises(HistoryError, match=f"line 1: {said} of event '{broken['event']}' must be"):
        seen(broken)
