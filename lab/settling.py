"""Waiting until nothing waits any more, for as long as something may rightly be waiting."""

from __future__ import annotations

from dataclasses import dataclass

from lab.backend import BackendSilent
from lab.broker import TROUBLE
from lab.errors import NotWithin
from lab.eventually import eventually, stopwatch
from lab.ledger import Ledger
from system.contract.topology import RETRY_DELAYS_S

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


def deadline_s(waiting: int, trouble: Trouble) -> float:
    """How long messages may rightly still be on their way, in seconds. Pure."""
    allowed = 30.0 + waiting / DRAIN_PER_S + trouble.retries
    if trouble.reconnects:
        allowed += RECONNECT_MAX_S + HEARTBEATS_MISSED_S
    if trouble.dead_letter_route:
        allowed += DEAD_LETTER_ROUTE_S
    return allowed


def longest_retry_s(outage_s: float) -> float:
    """The ladder's step on which a message can be after failing for `outage_s`, in seconds. Pure."""
    passed = 0.0
    for step in RETRY_DELAYS_S:
        passed += step
        if passed >= outage_s:
            return float(step)
    return float(RETRY_DELAYS_S[-1])


def settle(ledger: Ledger, trouble: Trouble | None = None) -> bool:
    """Wait until every accepted message has ended somewhere; record how it went.

    Returns:
        Whether it settled within `deadline_s`.
    """
    within_s = deadline_s(len(ledger.waiting), trouble or Trouble())
    with stopwatch() as seconds:
        try:
            eventually(
                "every accepted message to be committed or dead-lettered",
                lambda: _nothing_waits(ledger),
                within_s=within_s,
                every_s=0.1,
                tolerate=(BackendSilent, *TROUBLE),
            )
            settled = True
        except NotWithin:
            settled = False
        ledger.history.write(
            "settled", ok=settled, seconds=round(seconds(), 3), waiting=len(ledger.waiting)
        )
    return settled


def _nothing_waits(ledger: Ledger) -> bool:
    ledger.look()
    if ledger.waiting:
        ledger.look_at_dead_letters()
    return not ledger.waiting
