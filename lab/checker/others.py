"""A lab that is kept may be used by several runs at once: what others sent is counted apart.

A history of such a lab begins in the middle, and holds receipts and dead letters of messages that
it never attempted. They say nothing about this run. In a lab of its own the same would be a
breach: a message that was never sent took effect.
"""

from __future__ import annotations

from lab.checker.tally import Tally


def set_apart(seen: Tally) -> None:
    """Move what others sent from the receipts' and dead letters' ids into `seen.others`."""
    if not seen.shared:
        return
    seen.others = {
        *(receipt.message_id for receipt in seen.receipts.values()),
        *seen.dead,
    } - seen.attempted.keys()
    seen.dead = {key: death for key, death in seen.dead.items() if key not in seen.others}
