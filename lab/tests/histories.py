"""Histories of runs that never were, for testing the audit: sane ones, to be broken on purpose."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.checker.outcomes import LOOKS
from lab.history.log import Event

BEGUN = datetime(2025, 10, 18, 14, tzinfo=UTC)
Record = dict[str, Any]


def moment(seconds: float) -> str:
    """A time so many seconds after the begin, as it stands in a history."""
    return (BEGUN + timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def record(event: str, at_s: float, **fields: Any) -> Record:
    """One line of a history."""
    return {"at": moment(at_s), "event": event, **fields}


def events(records: Iterable[Record]) -> list[Event]:
    """The events that a reader of these lines would give."""
    return [
        Event(
            number,
            datetime.fromisoformat(each["at"]),
            each["event"],
            {name: value for name, value in each.items() if name not in ("at", "event")},
        )
        for number, each in enumerate(records, 1)
    ]


def lines(records: Iterable[Record]) -> bytes:
    """The same as the bytes of a file."""
    return b"".join(json.dumps(each).encode() + b"\n" for each in records)


def attempted(message_id: str, at_s: float, identity: str, *, expect: str = "effect") -> Record:
    """An attempt, published when it was recorded."""
    return record(
        "attempted",
        at_s,
        message_id=message_id,
        identity=identity,
        published_at=moment(at_s),
        observed_at=moment(at_s),
        sender="scraper",
        expect=expect,
    )


def receipt(
    message_id: str, at_s: float, identity: str, effect: str, *, observed_s: float, cursor: str
) -> Record:
    """A receipt, read right after it was committed at `at_s`."""
    return record(
        "receipt",
        at_s,
        cursor=cursor,
        message_id=message_id,
        identity=identity,
        match_id=int(identity),
        effect=effect,
        way="queue",
        attempt=1,
        observed_at=moment(observed_s),
        observed_from="message",
        published_at=moment(observed_s),
        received_at=moment(at_s - 0.0005),
        committed_at=moment(at_s),
    )


def dead_letter(message_id: str, at_s: float, **other: Any) -> Record:
    """A dead letter with its story."""
    fields = {
        "message_id": message_id,
        "reason": "invalid",
        "detail": "home_score = -1: must be 0 or more",
        "where": "worker-1",
        "died_at": moment(at_s),
        "published_at": moment(at_s),
        "queue": "matches.process",
    }
    return record("dead_letter", at_s, **{**fields, **other})


def sane(seed: int, messages: int = 60, matches: int = 8) -> list[Record]:
    """A run in which everything holds, with everything that may rightly happen.

    Messages overtake each other; some break the contract and are dead-lettered, some are refused,
    some never confirmed (of those, some took effect all the same), tasks run more than once.
    """
    rng = random.Random(seed)
    told = [record("started", 0, name="sane", substrate="fake", seed=seed, settings={})]
    told.append(record("fault", 0.2, name="worker-killed", phase="begin", detail=""))
    on_their_way: list[tuple[float, str, float, str]] = []
    for number in range(messages):
        message_id, at_s = f"m{number:06d}", 1 + number * 0.01
        identity = str(rng.randrange(matches) + 1)
        # One of each kind is there, in the smallest run too.
        kind = number if number < 6 else rng.choices(range(6), (80, 5, 3, 4, 3, 5))[0]
        takes = rng.uniform(0.004, 0.2)
        told.append(
            attempted(message_id, at_s, identity, expect="dead-letter" if kind == 1 else "effect")
        )
        if kind == 2:
            told.append(record("refused", at_s, message_id=message_id, way="http", detail="422"))
            continue
        if kind in (3, 4):
            told.append(record("unknown", at_s, message_id=message_id, way="queue", detail="cut"))
        else:
            told.append(record("accepted", at_s, message_id=message_id, way="queue"))
        if kind == 1:
            told.append(dead_letter(message_id, at_s + takes))
        elif kind != 3:
            on_their_way.append((at_s + takes, message_id, at_s, identity))
    told += _stored(sorted(on_their_way), rng)
    told.append(record("fault", 0.6, name="worker-killed", phase="end", detail=""))
    told.append(record("row_refused", 1, page="U14", row=3, reason="no date", excerpt="TBD"))
    end_s = 2 + messages * 0.01
    told += [record("depth", 1 + n / 4, queue="matches.process", ready=n % 3) for n in range(4)]
    told.append(record("settled", end_s, ok=True, seconds=0.4, waiting=0))
    told += [record("looked", end_s, what=what, ok=True, detail="all of it") for what in LOOKS]
    told.append(record("check", end_s, name="season truth", verdict="valid", detail="equal"))
    return [*told, record("ended", end_s)]


def _stored(arriving: list[tuple[float, str, float, str]], rng: random.Random) -> list[Record]:
    """The receipts of a store that keeps the laws."""
    newest: dict[str, tuple[float, str]] = {}
    told = []
    for number, (at_s, message_id, observed_s, identity) in enumerate(arriving):
        age, seen = (observed_s, message_id), newest.get(identity)
        if seen is None:
            effect = "created"
        else:
            effect = "stale" if seen > age else rng.choice(["updated", "updated", "unchanged"])
        newest[identity] = age if seen is None else max(seen, age)
        told.append(
            receipt(
                message_id,
                at_s,
                identity,
                effect,
                observed_s=observed_s,
                cursor=f"{700 + number}.{number}",
            )
        )
    return told
