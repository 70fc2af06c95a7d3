"""What breaks a sane history, each in one way, with the laws that it breaks."""

from __future__ import annotations

import random
from collections.abc import Callable

from lab.checker.check import Audit, audit
from lab.checker.verdict import Verdict
from lab.tests.histories import (
    Record,
    attempted,
    dead_letter,
    events,
    receipt,
    record,
)


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


Injection = Callable[[list[Record], random.Random], list[str]]
"""Breaks a sane history in place; returns the ids to be named."""


def lose(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(sorted(ids(records, "accepted") & ids(records, "dead_letter")))
    records.remove(of(records, "dead_letter", message_id=chosen)[0])
    return [chosen]


def lose_a_good_one(records: list[Record], rng: random.Random) -> list[str]:
    records[1:1] = [
        attempted("lone", 0.5, rng.choice(of(records, "receipt"))["identity"]),
        record("accepted", 0.5, message_id="lone", way="queue"),
    ]
    return ["lone"]


def place_twice(records: list[Record], rng: random.Random) -> list[str]:
    """An effect and a dead letter; the dead letter breaks law 4 too where the message is good."""
    chosen = rng.choice(sorted(ids(records, "receipt")))
    records.insert(-1, dead_letter(chosen, 3))
    return [chosen]


def come_from_nowhere(records: list[Record], rng: random.Random) -> list[str]:
    stray = receipt("stray", 2, "999", "created", observed_s=1, cursor="1.0")
    records.insert(rng.randrange(1, len(records)), stray)
    return ["stray"]


def take_effect_after_refusal(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(sorted(ids(records, "refused")))
    records.append(receipt(chosen, 9, "998", "created", observed_s=1, cursor="9000.0"))
    return [chosen]


def still_wait(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(sorted(ids(records, "accepted")))
    records.insert(-1, record("pending", 3, where="outbox", message_ids=[chosen]))
    return [chosen]


def double(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "receipt"))
    again = {**chosen, "cursor": f"{chosen['cursor']}1", "effect": "unchanged"}
    records.insert(records.index(chosen) + 1, again)
    return [chosen["message_id"]]


def overwrite(records: list[Record], rng: random.Random) -> list[str]:
    """A late message of the past changes a match after all others did."""
    chosen = rng.choice(of(records, "receipt"))["identity"]
    late = receipt("late", 9, chosen, "updated", observed_s=0.5, cursor="9000.0")
    records[-1:-1] = [attempted("late", 0.5, chosen), late]
    return ["late"]


def call_stale(records: list[Record], rng: random.Random) -> list[str]:
    """The newest message of all changes nothing."""
    chosen = rng.choice(of(records, "receipt"))["identity"]
    fresh = receipt("fresh", 9, chosen, "stale", observed_s=8, cursor="9000.0")
    records[-1:-1] = [attempted("fresh", 8, chosen), fresh]
    return ["fresh"]


def create_again(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "receipt"))["identity"]
    again = receipt("again", 9, chosen, "created", observed_s=8, cursor="9000.0")
    records[-1:-1] = [attempted("again", 8, chosen), again]
    return ["again"]


def split_a_match(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "receipt"))["identity"]
    other = receipt("other", 9, chosen, "created", observed_s=8, cursor="9000.0")
    records[-1:-1] = [attempted("other", 8, chosen), {**other, "match_id": 4711}]
    return [chosen]


def kill_a_good_one(records: list[Record], rng: random.Random) -> list[str]:
    lone = "good"
    records[1:1] = [
        attempted(lone, 0.5, "1"),
        record("unknown", 0.5, message_id=lone, way="queue", detail="cut"),
        dead_letter(lone, 2),
    ]
    return [lone]


def die_without_a_reason(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "dead_letter"))
    chosen[rng.choice(["reason", "detail"])] = rng.choice(["", " \n", None])
    return [chosen["message_id"]]


def take_a_broken_one(records: list[Record], rng: random.Random) -> list[str]:
    records[1:1] = [attempted("broken", 0.5, "997", expect="dead-letter")]
    records.append(receipt("broken", 9, "997", "created", observed_s=1, cursor="9000.0"))
    return ["broken"]


def set_a_good_one_aside(records: list[Record], rng: random.Random) -> list[str]:
    records[1:1] = [
        attempted("good", 0.5, "1"),
        record("accepted", 0.5, message_id="good", way="outbox"),
    ]
    records.insert(-1, record("set_aside", 3, message_id="good", reason="referee: not a field"))
    return ["good"]


def set_aside_without_a_reason(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "dead_letter"))
    records.remove(chosen)
    records.insert(-1, record("set_aside", 3, message_id=chosen["message_id"], reason=" "))
    return [chosen["message_id"]]


def store_what_was_set_aside(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(sorted(ids(records, "receipt")))
    records.insert(-1, record("set_aside", 3, message_id=chosen, reason="no"))
    return [chosen]


def remove_receipts(records: list[Record], rng: random.Random) -> list[str]:
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


def rewrite_a_receipt(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "receipt"))
    at = {"message_id": chosen["message_id"], "cursor": chosen["cursor"]}
    records.insert(-1, record("vanished", 3, place="receipts", **at, changed=True))
    return [chosen["message_id"]]


def refuse_without_a_reason(records: list[Record], rng: random.Random) -> list[str]:
    chosen = rng.choice(of(records, "refused"))
    chosen["detail"] = ""
    return [chosen["message_id"]]


def refuse_a_row_without_a_reason(records: list[Record], rng: random.Random) -> list[str]:
    of(records, "row_refused")[0]["reason"] = " "
    return []


def fail_a_check_of_a_law(records: list[Record], rng: random.Random) -> list[str]:
    records.append(record("check", 3, name="order", verdict="invalid", detail="no", law=3))
    return []


INJECTIONS: list[tuple[Injection, set[int]]] = [
    (lose, {1}),
    (lose_a_good_one, {1}),
    (place_twice, {1, 4}),
    (come_from_nowhere, {1}),
    (take_effect_after_refusal, {1}),
    (still_wait, {1}),
    (double, {2}),
    (overwrite, {3}),
    (call_stale, {3}),
    (create_again, {3}),
    (split_a_match, {3}),
    (kill_a_good_one, {4}),
    (die_without_a_reason, {4}),
    (take_a_broken_one, {4}),
    (set_a_good_one_aside, {4}),
    (set_aside_without_a_reason, {4}),
    (store_what_was_set_aside, {1, 4}),
    (remove_receipts, {1, 2}),
    (rewrite_a_receipt, {2}),
    (refuse_without_a_reason, {4}),
    (refuse_a_row_without_a_reason, {4}),
    (fail_a_check_of_a_law, {3}),
]
