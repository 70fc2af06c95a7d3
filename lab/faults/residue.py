"""What a fault may leave waiting after its cure: it decides how long settling may take."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto

from system.contract.topology import RETRY_DELAYS_S


class Leaves(Flag):
    """What a fault may leave behind, whatever its length."""

    NOTHING = 0
    RETRIES = auto()
    """Messages that failed meanwhile wait for their next attempt."""
    RECONNECTS = auto()
    """A broker, or a connection to it, was unavailable."""
    DEAD_LETTER_ROUTE = auto()
    """A dead-letter exchange or queue, or the way back from a retry, was unavailable."""


@dataclass(frozen=True, slots=True)
class Residue:
    """What a run may still have waiting after all its faults so far.

    Attributes:
        retry_s: the longest retry step that a message may be on, in seconds.
        reconnects: whether a broker or a connection was unavailable.
        dead_letter_route: whether the dead-letter exchange or queue was unavailable.
    """

    retry_s: float = 0.0
    reconnects: bool = False
    dead_letter_route: bool = False

    def after(self, leaves: Leaves, lasted_s: float) -> Residue:
        """The residue with one more fault, which lasted so many seconds. Pure."""
        return Residue(
            max(self.retry_s, longest_retry_s(lasted_s) if Leaves.RETRIES in leaves else 0.0),
            self.reconnects or Leaves.RECONNECTS in leaves,
            self.dead_letter_route or Leaves.DEAD_LETTER_ROUTE in leaves,
        )


def longest_retry_s(outage_s: float) -> float:
    """The retry step that a message can be on after failing for `outage_s`, in seconds."""
    passed = 0.0
    for step in RETRY_DELAYS_S:
        passed += step
        if passed >= outage_s:
            return float(step)
    return float(RETRY_DELAYS_S[-1])
