"""What an experiment does: load, faults, broken messages, workers. Each says what it did.

An action that found nothing to act on fails: a kill without a victim has shown nothing.
"""

from __future__ import annotations

from typing import Any

from chaoslib.exceptions import ActivityFailed

from chaos import evidence
from chaos.running import current
from lab.errors import CannotRun
from lab.substrates.abilities import Scalable
from lab.substrates.plan import Role

__all__ = [
    "begin_load",
    "cure",
    "cure_everything",
    "end_load",
    "scale_workers",
    "send_useless_messages",
    "stop_load",
    "strike",
    "work_for",
]


def begin_load(profile: str = "steady") -> dict[str, Any]:
    """Offer a load from now on; `lab load --help` lists them."""
    current().begin_load(profile)
    return {"load": profile}


def end_load() -> dict[str, Any]:
    """End the load, once all that was attempted is accepted."""
    run = current()
    if run.load is None:
        raise ActivityFailed("no load is offered, so there is none to end")
    run.end_load()
    counts = run.lab.ledger.counts()
    if not counts["accepted"]:
        raise ActivityFailed("nothing of the load was accepted, so nothing was shown")
    return {"attempted": counts["attempted"], "accepted": counts["accepted"]}


def work_for(seconds: float) -> dict[str, Any]:
    """Let time pass."""
    run = current()
    before = len(run.lab.ledger.effects)
    run.lab.run_for(seconds)
    return {"seconds": seconds, "took effect meanwhile": len(run.lab.ledger.effects) - before}


def strike(fault: str, parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """Break something until it is cured: `lab fault list`."""
    run, given = current(), parameters or {}
    victim = evidence.victim(fault, given)
    evidence.require_up(run, victim)
    run.strike(fault, given)
    return {"struck": fault, **given, "seen": evidence.seen(run, fault, victim)}


def cure(fault: str) -> dict[str, Any]:
    """Mend what was struck."""
    current().cure(fault)
    return {"cured": fault}


def send_useless_messages(rounds: int = 1) -> dict[str, Any]:
    """Send messages of every broken kind, and a few of the earlier system, `rounds` times."""
    ledger = current().lab.ledger
    before = len(ledger.attempted)
    for ordinal in range(rounds):
        current().lab.send_foreign(ordinal)
    return {"sent": len(ledger.attempted) - before}


def scale_workers(count: int | None = None) -> dict[str, Any]:
    """Let there be so many workers; as many as the lab was started with, if no count is given."""
    lab = current().lab
    if not isinstance(lab.substrate, Scalable):
        raise CannotRun(f"the substrate {lab.substrate.name!r} cannot change the number of workers")
    wanted = lab.plan.workers if count is None else count
    lab.history.write("scaled", role=Role.WORKER, count=wanted)
    lab.substrate.scale(Role.WORKER, wanted)
    return {"workers": wanted}


def cure_everything() -> dict[str, Any]:
    """For rollbacks: mend whatever is still broken."""
    run = current()
    left = run.struck
    for fault in left:
        run.cure(fault)
    return {"cured": ", ".join(left) or "nothing was left"}


def stop_load() -> dict[str, Any]:
    """For rollbacks: end the load, if one is still offered."""
    run = current()
    if run.load is None:
        return {"load": "none was left"}
    run.end_load()
    return {"load": "ended"}
