"""Waiting until nothing waits any more, for as long as something may rightly be waiting."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.broker import HELD_AGE_S, TROUBLE, held
from lab.errors import LabError, NotWithin
from lab.eventually import eventually, stopwatch
from lab.ledger import Ledger
from system.contract.topology import DEAD_LETTER_QUEUE, RETRY_DELAYS_S

RECONNECT_MAX_S = 32.0
"""kombu's longest pause between two attempts to reach a broker."""

HEARTBEATS_MISSED_S = 30.0
"""Three heartbeats of 10 s: how long a half-open connection goes unnoticed at most."""

DEAD_LETTER_ROUTE_S = 180.0
"""RabbitMQ tries an at-least-once dead-letter route that was away again after three minutes."""

DRAIN_PER_S = 50.0
"""Messages that even a slow machine's workers take to the store in a second."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a run went through that may leave messages waiting.

    Attributes:
        retries: the longest step of the retry ladder that a message may be on, in seconds.
        reconnects: whether a broker or a connection was away.
        dead_letter_route: whether the dead-letter exchange or queue was away.
    """

    retries: float = 0.0
    reconnects: bool = False
    dead_letter_route: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """What a fault may leave behind, whatever its length.

    Attributes:
        retries: messages that failed meanwhile wait for their next attempt.
        reconnects: a broker or a connection to it was away.
        dead_letter_route: a dead-letter exchange or queue, or the way back from a retry, was away.
    """

    retries: bool = False
    reconnects: bool = False
    dead_letter_route: bool = False


def after(trouble: Trouble, marks: Marks, lasted_s: float) -> Trouble:
    """What a run has gone through, with one more fault of `lasted_s` seconds. Pure."""
    return Trouble(
        retries=max(trouble.retries, longest_retry_s(lasted_s) if marks.retries else 0.0),
        reconnects=trouble.reconnects or marks.reconnects,
        dead_letter_route=trouble.dead_letter_route or marks.dead_letter_route,
    )


def deadline_s(waiting: int, trouble: Trouble) -> float:
    """How long messages may rightly still be on their way, in seconds. Pure."""
    allowed = 30.0 + waiting / DRAIN_PER_S + trouble.retries
    if trouble.reconnects:
        allowed += RECONNECT_MAX_S + HEARTBEATS_MISSED_S
    if trouble.dead_letter_route:
        allowed += DEAD_LETTER_ROUTE_S
    return allowed


def longest_retry_s(outage_s: float) -> float:
    """The ladder's step that a message can be on after failing for `outage_s`, in seconds."""
    passed = 0.0
    for step in RETRY_DELAYS_S:
        passed += step
        if passed >= outage_s:
            return float(step)
    return float(RETRY_DELAYS_S[-1])


def rest_s(trouble: Trouble) -> float:
    """How long nothing must have moved before what is missing counts as gone, in seconds. Pure.

    Numbers of the broker's management are seconds old, and a dead-letter route that was away hides
    its messages from every count.
    """
    hidden = DEAD_LETTER_ROUTE_S if trouble.dead_letter_route else 0.0
    return 3 * HELD_AGE_S + hidden


def settle(ledger: Ledger, trouble: Trouble | None = None) -> bool:
    """Wait until nothing moves any more; record how it went.

    That is so when every accepted message has ended somewhere, or when no queue has held anything
    for `rest_s`: what is missing then is not on its way.

    Returns:
        Whether it settled within `deadline_s`.
    """
    trouble = trouble or Trouble()
    quiet = _Quiet(ledger)
    with stopwatch() as seconds:
        try:
            eventually(
                "every message to have ended somewhere",
                lambda: _all_ended(ledger) or quiet.seconds() >= rest_s(trouble),
                within_s=deadline_s(len(ledger.waiting), trouble),
                every_s=0.1,
                tolerate=(LabError, *TROUBLE),
            )
            settled = True
        except NotWithin:
            settled = False
        ledger.history.write(
            "settled", ok=settled, seconds=round(seconds(), 3), waiting=len(ledger.waiting)
        )
    return settled


class _Quiet:
    """For how long no queue has held anything, and nothing has ended."""

    EVERY_S = 1.0

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting = -1
        self._looked = self._since = time.monotonic()

    def seconds(self) -> float:
        now = time.monotonic()
        if now - self._looked >= self.EVERY_S:
            self._looked = now
            waiting = len(self._ledger.waiting)
            if held(self._ledger.endpoints) or waiting != self._waiting:
                self._waiting, self._since = waiting, now
        return now - self._since


def _all_ended(ledger: Ledger) -> bool:
    ledger.look()
    if ledger.waiting:
        ledger.look_at_dead_letters()
    if ledger.waiting:
        return False
    # What was never confirmed may be in a queue all the same.
    return not any(n for queue, n in ledger.depths().items() if queue != DEAD_LETTER_QUEUE)
