"""Events of a history, sorted by what they say. Reads every field, decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

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
from lab.checker.verdict import Verdict
from lab.history.log import TORN, Event
from system.contract.submission import Effect

EFFECTS = frozenset(Effect) - {Effect.DUPLICATE, Effect.INVALID}
"""What a receipt can say; the other outcomes leave none."""


@dataclass(slots=True)
class Tally:
    """Everything that a history says, by kind. Messages are keyed by their id."""

    started: Event | None = None
    ended: datetime | None = None
    first: datetime | None = None
    last: datetime | None = None
    attempted: dict[str, Attempt] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)  # the newest reason
    # By cursor and message id, in the order of their cursors: one that is read twice is one.
    receipts: dict[tuple[str, str], Receipt] = field(default_factory=dict)
    gone: set[tuple[str, str]] = field(default_factory=set)  # of those, at the final look
    changed: set[str] = field(default_factory=set)  # messages whose receipt has changed
    dead: dict[str, Death] = field(default_factory=dict)
    aside: dict[str, Death] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    pending_nameless: int = 0
    rows: list[Refusal] = field(default_factory=list)
    depths: list[Depth] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    looks: dict[str, tuple[bool, str]] = field(default_factory=dict)  # the newest of each
    settled: Settled | None = None
    others: set[str] = field(default_factory=set)  # ids that another user of the lab sent
    doubts: list[str] = field(default_factory=list)  # why this history cannot be trusted whole

    @property
    def shared(self) -> bool:
        """Whether others may have used the lab meanwhile, and before."""
        return self.started is not None and self.started.fields.get("shared") is True

    def set_others_apart(self) -> None:
        """In a shared lab, count the messages that this run never attempted as those of others.

        The history of such a lab begins in the middle, and has receipts and dead letters of other
        runs. In a lab of its own the same would be a breach: a message that was never sent.
        """
        if self.shared:
            received = {receipt.message_id for receipt in self.receipts.values()}
            self.others = {*received, *self.dead} - self.attempted.keys()
            self.dead = {key: it for key, it in self.dead.items() if key not in self.others}

    def own_receipts(self) -> list[Receipt]:
        """Those of messages that this run sent, as far as they are still there."""
        return [
            receipt
            for key, receipt in self.receipts.items()
            if key not in self.gone and receipt.message_id not in self.others
        ]

    def add(self, event: Event) -> None:
        """Take in one event.

        Raises:
            HistoryError: a field is missing or is not what it must be.
        """
        handler = _HANDLERS.get(event.event)
        if handler is None:
            self.doubts.append(f"line {event.line}: event {event.event!r} is not known here")
            return
        handler(self, event)
        if event.event != TORN:
            self.first = event.at if self.first is None else min(self.first, event.at)
            self.last = event.at if self.last is None else max(self.last, event.at)


def tally(events: Iterable[Event]) -> Tally:
    """Sort the events of a whole history; raises HistoryError as `Tally.add` does."""
    whole = Tally()
    for event in events:
        whole.add(event)
    return whole


def _started(to: Tally, event: Event) -> None:
    if to.started is not None:
        to.doubts.append(f"line {event.line}: a second run was started in the same history")
    to.started = event


def _attempted(to: Tally, event: Event) -> None:
    expect = event.text("expect")
    if expect not in ("effect", "dead-letter"):
        raise event.wrong("expect", "effect or dead-letter")
    # A second try of the same message counts from its first.
    published = event.time_or_none("published_at") or event.at
    to.attempted.setdefault(event.text("message_id"), Attempt(published, expect == "effect"))


def _receipt(to: Tally, event: Event) -> None:
    effect, match_id = event.text("effect"), event.fields.get("match_id")
    if effect not in EFFECTS:
        raise event.wrong("effect", "one that leaves a receipt")
    if isinstance(match_id, bool) or not isinstance(match_id, int):
        raise event.wrong("match_id", "a whole number")
    key = event.text("cursor"), event.text("message_id")
    if key not in to.receipts:
        to.receipts[key] = Receipt(
            key[1],
            event.text("identity"),
            match_id,
            Effect(effect),
            event.time("observed_at"),
            event.time("received_at"),
            event.time("committed_at"),
        )


def _dead_letter(to: Tally, event: Event) -> None:
    died_at = event.time_or_none("died_at") or event.at
    reason, detail, where, queue = _loose(event, "reason", "detail", "where", "queue")
    message_id = event.text("message_id")
    to.dead.setdefault(message_id, Death(message_id, reason, detail, where, died_at, queue))


def _set_aside(to: Tally, event: Event) -> None:
    message_id, (reason,) = event.text("message_id"), _loose(event, "reason")
    to.aside[message_id] = Death(message_id, "refused", reason, "scraper", event.at, "outbox")


def _vanished(to: Tally, event: Event) -> None:
    place, message_id = event.text("place"), event.text("message_id")
    if place == "dead_letters":
        to.dead.pop(message_id, None)
    elif place != "receipts":
        raise event.wrong("place", "receipts or dead_letters")
    elif event.fields.get("changed"):
        to.changed.add(message_id)
    else:
        to.gone.add((event.text("cursor"), message_id))


def _pending(to: Tally, event: Event) -> None:
    ids, count = event.fields.get("message_ids"), event.fields.get("count")
    if ids is not None:
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            raise event.wrong("message_ids", "a list of text")
        to.pending.update(ids)
    elif isinstance(count, int) and not isinstance(count, bool) and count >= 0:
        to.pending_nameless += count
    else:
        raise event.wrong("count", "a whole number (or message_ids a list)")


def _fault(to: Tally, event: Event) -> None:
    name, phase = event.text("name"), event.text("phase")
    if phase == "begin":
        to.faults.append(Fault(name, event.at))
        return
    for fault in to.faults:
        if fault.name == name and fault.to is None:
            fault.to = event.at
            return
    to.doubts.append(f"line {event.line}: fault {name!r} ended, but never began")


def _check(to: Tally, event: Event) -> None:
    law: Any = event.fields.get("law")
    if law is not None and (isinstance(law, bool) or law not in (1, 2, 3, 4, 5)):
        raise event.wrong("law", "a law from 1 to 5")
    try:
        verdict = Verdict(event.text("verdict"))
    except ValueError:
        raise event.wrong("verdict", "valid, invalid or unknown") from None
    (detail,) = _loose(event, "detail")
    to.checks.append(Check(event.text("name"), verdict, detail, law))


def _loose(event: Event, *names: str) -> list[str]:
    """Fields for people: empty if null or missing; any other value is shown."""
    values = [event.fields.get(name) for name in names]
    return ["" if value is None else str(value) for value in values]


def _settled(to: Tally, event: Event) -> None:
    to.settled = Settled(
        event.truth("ok"), event.number("seconds"), *_loose(event, "waiting", "detail")
    )
    # What waited or was set aside before is probed again from here on.
    to.pending.clear()
    to.pending_nameless = 0
    to.aside.clear()


def _ended(to: Tally, event: Event) -> None:
    to.ended = event.at


def _torn(to: Tally, event: Event) -> None:
    to.doubts.append(f"the history is torn: line {event.line}, its last, was cut off")


_HANDLERS = {
    "started": _started,
    "scrape": lambda to, event: None,
    "attempted": _attempted,
    "accepted": lambda to, event: to.accepted.add(event.text("message_id")),
    "refused": lambda to, event: to.refused.update(
        {event.text("message_id"): _loose(event, "detail")[0]}
    ),
    "unknown": lambda to, event: to.unsure.add(event.text("message_id")),
    "row_refused": lambda to, event: to.rows.append(
        Refusal(*_loose(event, "page", "row", "reason", "excerpt"))
    ),
    "receipt": _receipt,
    "dead_letter": _dead_letter,
    "set_aside": _set_aside,
    "vanished": _vanished,
    "pending": _pending,
    "depth": lambda to, event: to.depths.append(
        Depth(event.at, event.text("queue"), event.number("ready"))
    ),
    "fault": _fault,
    "scaled": lambda to, event: None,
    "check": _check,
    "looked": lambda to, event: to.looks.update(
        {event.text("what"): (event.truth("ok"), _loose(event, "detail")[0])}
    ),
    "doubt": lambda to, event: to.doubts.extend(_loose(event, "detail")),
    "settled": _settled,
    "ended": _ended,
    TORN: _torn,
}
