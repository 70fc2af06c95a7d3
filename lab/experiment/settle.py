"""Settling: wait until no message is waiting, for as long as one may rightly be waiting."""

from __future__ import annotations

import time

from lab.clients.amqp import WORK
from lab.clients.management import Management
from lab.errors import NotWithin
from lab.faults.residue import Residue
from lab.history.ledger import Ledger
from lab.wait import eventually, stopwatch
from system.contract.topology import KEPT_QUEUES

RECONNECT_MAX_S = 32.0
"""kombu's longest pause between two attempts to reach a broker."""

HEARTBEATS_MISSED_S = 30.0
"""Three heartbeats of 10 s: how long a half-open connection goes unnoticed at most."""

DEAD_LETTER_ROUTE_S = 180.0
"""RabbitMQ retries an at-least-once dead-letter route that was unavailable after three minutes."""

MOVED_S = 5.0
"""In which even a slow machine's broker has moved a message among the dead letters."""

DRAIN_PER_S = 50.0
"""Messages that even a slow machine's workers take to the store in a second."""


def deadline_s(waiting: int, residue: Residue) -> float:
    """How long messages may rightly still be on their way, in seconds. Pure."""
    allowed = 30.0 + waiting / DRAIN_PER_S + residue.retry_s
    if residue.reconnects:
        allowed += RECONNECT_MAX_S + HEARTBEATS_MISSED_S
    if residue.dead_letter_route:
        allowed += DEAD_LETTER_ROUTE_S
    return allowed


def rest_s(residue: Residue, age_s: float) -> float:
    """How long nothing must have moved before what is missing counts as gone, in seconds. Pure.

    A message is in no count while a broker moves it among the dead letters; a route there that was
    unavailable hides it for long.

    Args:
        age_s: how old the counts of messages may be.
    """
    hidden = DEAD_LETTER_ROUTE_S if residue.dead_letter_route else 0.0
    return 2 * age_s + MOVED_S + hidden


def settle(ledger: Ledger, management: Management, residue: Residue) -> bool:
    """Wait until no message moves; record how it went.

    That is so when every accepted message has ended somewhere, or when no queue has held anything
    for `rest_s`: what is missing then is not on its way. Where a connection was lost, a message
    that has ended may have been given out once more: it is in no queue, and could still take effect
    a second time, so the queues' own counts must have been empty since.

    Returns:
        Whether it settled within `deadline_s`.
    """
    quiet = _Quiet(ledger, management)
    age_s = management.age_s

    def look() -> bool:
        try:
            ended = _all_ended(ledger)
        except Exception:
            quiet.begin_anew()  # what went on meanwhile, nobody has seen
            raise
        if ended and (ledger.shared or not residue.reconnects):
            return True
        return quiet.seconds() >= (age_s if ended else rest_s(residue, age_s))

    with stopwatch() as seconds:
        try:
            eventually(
                "every message to have ended somewhere",
                look,
                within_s=deadline_s(len(ledger.waiting), residue),
                every_s=0.1,
                tolerate=(Exception,),  # a probe that failed has not seen it settled
            )
            settled, detail = True, ""
        except NotWithin as error:
            settled, detail = False, str(error.__cause__ or "")
        ledger.history.write(
            "settled",
            ok=settled,
            seconds=round(seconds(), 3),
            waiting=len(ledger.waiting),
            detail=detail,
        )
    return settled


class _Quiet:
    """For how long no queue has held anything, and nothing has ended."""

    EVERY_S = 0.5

    def __init__(self, ledger: Ledger, management: Management) -> None:
        self._ledger = ledger
        self._management = management
        self._waiting: set[str] | None = None
        self._looked = self._since = time.monotonic()

    def seconds(self) -> float:
        """Probes at most once in `EVERY_S`; raises BrokerSilent if the queues have no count."""
        now = time.monotonic()
        if now - self._looked >= self.EVERY_S:
            since, self._since = self._since, now  # a probe that fails has seen nothing quiet
            waiting = self._ledger.waiting
            if not self._holds_any() and waiting == self._waiting:
                self._since = since
            self._waiting, self._looked = waiting, now
        return now - self._since

    def _holds_any(self) -> bool:
        """Whether a queue holds a message, delivered or not.

        A quorum queue of a broker that has just started counts nothing for a while, and is listed
        with none then; but whoever asks for it by AMQP gets an answer of its own.
        """
        if self._management.held(WORK):
            return True
        depths = self._ledger.depths()
        return any(depths[queue] for queue in WORK)

    def begin_anew(self) -> None:
        """Nothing before now has been quiet."""
        self._since = time.monotonic()


def _all_ended(ledger: Ledger) -> bool:
    ledger.look()
    if ledger.waiting:
        ledger.look_at_dead_letters()
    if ledger.waiting:
        return False
    # What was never confirmed may be in a queue all the same. In a shared lab others' may be there.
    return ledger.shared or not any(
        n for queue, n in ledger.depths().items() if queue not in KEPT_QUEUES
    )
