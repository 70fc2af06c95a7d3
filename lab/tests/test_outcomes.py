"""Where each message is, and what is not known of it."""

from __future__ import annotations

import pytest

from lab.checker.outcomes import PLACES, Outcome, Outcomes, determine, outcome
from lab.checker.tally import Tally, tally
from lab.tests.histories import Record, attempted, dead_letter, events, record
from lab.tests.small_runs import accepted, stored

SETTLED = record("settled", 8, ok=True, seconds=1, waiting=0)
LOOKED = [record("looked", 9, what=place, ok=True, detail="") for place in PLACES]


def seen(*records: Record) -> tuple[Tally, Outcomes]:
    """What was seen in a run that settled and was looked at everywhere."""
    whole = tally(events([*records, *LOOKED]))
    return whole, determine(whole)


def told(event: str, message_id: str = "m") -> Record:
    return record(event, 1, message_id=message_id, way="http", detail="no")


ASIDE = record("set_aside", 9, message_id="m", reason="no")
WAITS = record("pending", 9, where="outbox", message_ids=["m"])
ONE_WAITS = record("pending", 9, where="queue", count=1)
GOOD, BROKEN = attempted("m", 1, "1"), attempted("m", 1, "1", expect="dead-letter")


@pytest.mark.parametrize(
    ("records", "became"),
    [
        ([GOOD, stored("m")], Outcome.COMMITTED),
        ([GOOD, stored("m", effect="updated")], Outcome.COMMITTED),
        ([GOOD, stored("m", effect="filled")], Outcome.COMMITTED),
        ([GOOD, stored("m", effect="unchanged")], Outcome.UNCHANGED),
        ([GOOD, stored("m", effect="stale")], Outcome.UNCHANGED),
        ([GOOD, stored("m"), stored("m", 3, effect="stale")], Outcome.COMMITTED),
        ([GOOD, stored("m"), dead_letter("m", 4)], Outcome.COMMITTED),
        ([GOOD, dead_letter("m", 4)], Outcome.FAILED),
        ([GOOD, ASIDE], Outcome.FAILED),
        ([GOOD, dead_letter("m", 4), WAITS], Outcome.FAILED),
        ([BROKEN, dead_letter("m", 4)], Outcome.DEAD_LETTERED),
        ([BROKEN, ASIDE], Outcome.DEAD_LETTERED),
        ([GOOD, told("accepted"), WAITS], Outcome.WAITING),
        ([GOOD, told("unknown"), WAITS], Outcome.WAITING),
        ([GOOD, told("accepted")], Outcome.LOST),
        ([GOOD, told("accepted"), ONE_WAITS], Outcome.UNDECIDED),
        ([GOOD, told("accepted"), told("refused")], Outcome.LOST),
        ([GOOD, told("refused")], Outcome.REFUSED),
        ([GOOD, told("refused"), told("unknown")], Outcome.UNCONFIRMED),
        ([GOOD, told("unknown")], Outcome.UNCONFIRMED),
        ([GOOD], Outcome.UNCONFIRMED),
    ],
)
def test_each_message_has_one_outcome(records: list[Record], became: Outcome) -> None:
    assert outcome("m", *seen(SETTLED, *records)) is became


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("ok", [False, None])
def test_nothing_is_lost_before_every_place_was_looked_at(place: str, ok: bool | None) -> None:
    looks = [each for each in LOOKED if ok is not None or each["what"] != place]
    if ok is not None:
        looks.append(record("looked", 9, what=place, ok=ok, detail=""))
    whole = tally(events([GOOD, told("accepted"), SETTLED, *looks]))
    outcomes = determine(whole)
    assert (outcomes.decidable, outcomes.lost, outcomes.undecided) == (False, 0, 1)
    assert outcome("m", whole, outcomes) is Outcome.UNDECIDED


@pytest.mark.parametrize("settled", [[], [{**SETTLED, "ok": False}]])
def test_nothing_is_lost_before_the_system_has_settled(settled: list[Record]) -> None:
    _, outcomes = seen(GOOD, told("accepted"), *settled)
    assert (outcomes.decidable, outcomes.lost, outcomes.undecided) == (False, 0, 1)


@pytest.mark.parametrize(
    ("nameless", "lost", "undecided"), [(0, 3, 0), (1, 2, 1), (3, 0, 3), (4, 0, 3)]
)
def test_a_nameless_one_that_waits_may_be_any_of_the_missing(
    nameless: int, lost: int, undecided: int
) -> None:
    waits = record("pending", 9, where="queue", count=nameless)
    missing = [line for name in "bca" for line in accepted(name)]
    _, outcomes = seen(SETTLED, *missing, waits)
    assert outcomes.missing == ["a", "b", "c"]
    assert (outcomes.lost, outcomes.undecided, outcomes.hidden) == (lost, undecided, undecided)


def test_the_first_receipt_that_is_still_there_is_the_effect() -> None:
    receipts = [stored("m", n, cursor=f"{n}", effect="updated") for n in (3, 4, 5)]
    gone = record("vanished", 9, place="receipts", message_id="m", cursor="3")
    whole, outcomes = seen(SETTLED, GOOD, *receipts, gone)
    assert outcomes.effects == {"m": whole.receipts["4", "m"]}
    assert outcomes.doubled == ["m"]


def test_only_a_message_with_two_receipts_is_doubled() -> None:
    receipts = [stored(name, n) for n, name in enumerate("abbacccd")]
    _, outcomes = seen(SETTLED, *receipts)
    assert outcomes.doubled == ["a", "b", "c"]
    assert outcomes.unexpected == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("told_by", "recovered"),
    [
        ([], 1),
        (["unknown"], 1),
        (["accepted"], 0),
        (["unknown", "accepted"], 0),
        (["refused"], 0),
        (["refused", "unknown"], 1),
    ],
)
def test_what_was_never_confirmed_and_took_effect_is_recovered(
    told_by: list[str], recovered: int
) -> None:
    _, outcomes = seen(SETTLED, GOOD, *map(told, told_by), stored("m"), stored("other", 3))
    assert outcomes.recovered == recovered


def test_what_was_refused_and_set_aside_is_no_contradiction() -> None:
    _, outcomes = seen(SETTLED, BROKEN, told("refused"), ASIDE, told("refused", "never tried"))
    assert outcomes.contradicted == []
    assert outcomes.placed == {"m"}
    _, outcomes = seen(SETTLED, BROKEN, told("refused"), dead_letter("m", 4))
    assert outcomes.contradicted == ["m"]
