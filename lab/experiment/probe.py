"""The last look of a run: at every place where a message can be.

What is found waiting is recorded, and so is what could not be seen: the audit then says unknown.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.clients import amqp
from lab.errors import LabError
from lab.history.ledger import Ledger
from system.contract.topology import DEAD_LETTER_QUEUE

Look = Callable[[], str]


def look_everywhere(ledger: Ledger, outbox: Callable[[], int]) -> None:
    """Look at receipts, dead letters, queues and the outbox.

    Args:
        outbox: tells how many messages wait in it; raises LabError where it cannot.
    """
    looks: dict[str, Look] = {
        "receipts": lambda: _receipts(ledger),
        "dead_letters": lambda: f"{ledger.look_at_dead_letters()} dead letters",
        "queues": lambda: _queues(ledger),
        "outbox": lambda: _outbox(ledger, outbox()),
    }
    for what, look in looks.items():
        try:
            detail, ok = look(), True
        except (LabError, *amqp.TROUBLE) as error:
            detail, ok = f"{type(error).__name__}: {error}", False
        ledger.history.write("looked", what=what, ok=ok, detail=detail)


def _receipts(ledger: Ledger) -> str:
    ledger.look()
    return f"{len(ledger.effects)} receipts"


def _queues(ledger: Ledger) -> str:
    depths = ledger.depths()
    for queue, ready in depths.items():
        if ready and queue != DEAD_LETTER_QUEUE and not ledger.shared:
            where = "retry" if ".retry." in queue else "queue"
            ledger.history.write("pending", where=where, count=ready)
    return f"{len(depths)} queues"


def _outbox(ledger: Ledger, waiting: int) -> str:
    if waiting:
        ledger.history.write("pending", where="outbox", count=waiting)
    return f"{waiting} in the outbox"
