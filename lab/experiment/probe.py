"""The final probe of a run: every stored match, and every place where a message can be.

What is waiting is recorded, and so is what could not be seen: the verdict is then unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from lab.checker import model
from lab.clients.backend import Backend
from lab.errors import NotWithin
from lab.history.ledger import Ledger
from lab.wait import eventually
from system.contract.topology import KEPT_QUEUES

GIVEN_BACK_WITHIN_S = 30.0
"""A dead letter that was just read is not in its queue until the broker has put it back."""


class Outbox(Protocol):
    """The scraper's outbox; see `lab.workload.scraper.Scraper`."""

    def waiting(self) -> int:
        """How many messages wait in it; raises LabError if it is not known."""

    def refused(self) -> Mapping[str, str]:
        """What is kept aside in it, and why: by message id; raises LabError as `waiting` does."""


def look_everywhere(ledger: Ledger, outbox: Outbox) -> None:
    """Probe receipts, dead letters, queues and the outbox."""
    looks: dict[str, Callable[[], str]] = {
        "receipts": lambda: _receipts(ledger),
        "dead_letters": lambda: _dead_letters(ledger),
        "queues": lambda: _queues(ledger),
        "outbox": lambda: _outbox(ledger, outbox),
    }
    for what, look in looks.items():
        try:
            detail, ok = look(), True
        except Exception as error:  # a probe that failed has seen nothing
            detail, ok = f"{type(error).__name__}: {error}", False
        ledger.history.write("looked", what=what, ok=ok, detail=detail)


def compare_store(
    ledger: Ledger,
    backend: Backend,
    true: Mapping[str, Mapping[str, Any]],
    aliases: Mapping[str, str],
    *,
    settled: bool,
) -> None:
    """Compare every stored match with the expected state, and with the receipts.

    Args:
        true: by identity, the expected match; see `lab.checker.model`.
        aliases: other identities of these matches.
        settled: if not, the missing change may be on its way, and nothing is known.
    """
    try:
        stored = list(backend.matches())
        ledger.look()
    except Exception as error:  # as above
        ledger.history.write("looked", what="truth", ok=False, detail=repr(error))
        return
    if ledger.shared:  # what others hold as newest says nothing about this run
        stored = [match for match in stored if ledger.decided_here(match["id"])]
        decided = {
            identity
            for identity, match_id in ledger.match_ids.items()
            if ledger.decided_here(match_id)
        }
        decided |= {aliases[each] for each in decided & aliases.keys()}
        true = {key: match for key, match in true.items() if key in decided}
    ledger.history.write("looked", what="truth", ok=True, detail=f"{len(stored)} matches")
    differences = {
        "every stored match equals the season's truth": (
            None,
            model.compare(stored, true, aliases),
        ),
        "every stored match is the newest observation that took effect": (
            3,
            model.compare_newest(stored, ledger.newest),
        ),
    }
    for name, (law, found) in differences.items():
        ledger.check(
            name,
            ok=True if not found else False if settled else None,
            detail=f"{len(stored)} stored, {len(true)} true, {len(found)} differences"
            + "".join(f"; {each}" for each in found[:5]),
            law=law,
        )


def _receipts(ledger: Ledger) -> str:
    ledger.look()
    return f"receipts of {ledger.look_anew()} messages"


def _dead_letters(ledger: Ledger) -> str:
    gone: set[str] = set()

    def accounted_for() -> bool:
        nonlocal gone
        gone = ledger.missing_dead_letters()
        return gone <= ledger.effects  # what was replayed took effect

    with suppress(NotWithin):
        eventually("every dead letter", accounted_for, within_s=GIVEN_BACK_WITHIN_S, every_s=0.5)
    ledger.forget_dead_letters(gone)
    return f"{len(ledger.dead)} dead letters"


def _queues(ledger: Ledger) -> str:
    depths = ledger.depths()
    for queue, ready in depths.items():
        if ready and queue not in KEPT_QUEUES and not ledger.shared:
            where = "retry" if ".retry." in queue else "queue"
            ledger.history.write("pending", where=where, count=ready)
    return f"{len(depths)} queues"


def _outbox(ledger: Ledger, outbox: Outbox) -> str:
    waiting, refused = outbox.waiting(), outbox.refused()
    if waiting:
        ledger.history.write("pending", where="outbox", count=waiting)
    for message_id, reason in refused.items():
        ledger.history.write("set_aside", message_id=message_id, reason=reason)
    return f"{waiting} waiting in the outbox, {len(refused)} refused and set aside"
