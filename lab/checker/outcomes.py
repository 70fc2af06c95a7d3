"""Where every message is, as sets, and what is left undecided.

A attempted, K accepted, E effects, D dead letters, S set aside (refused by the API, kept in the
outbox), P pending. Once the system has settled, what is in K and in none of E, D and S is lost, and
what is in one of these and not in A is unexpected. While something may still be on its way, or a
place could not be probed, a missing message is undecided instead of lost.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from lab.checker.records import Receipt
from lab.checker.tally import Tally
from system.contract.submission import Effect

PLACES = ("receipts", "dead_letters", "queues", "outbox")
"""Where a message can be; all of them must have been probed before one is called lost."""

LOOKS = (*PLACES, "truth")
"""The final probes that a verdict needs; truth compares the stored matches with the season."""


class Outcome(StrEnum):
    """What became of a message that was attempted."""

    COMMITTED = "committed"  # it changed the stored match
    UNCHANGED = "unchanged"  # it took effect, and rightly changed nothing
    DEAD_LETTERED = "dead-lettered"  # it is invalid, and was rightly dead-lettered or set aside
    FAILED = "failed"  # it is valid, and was dead-lettered or set aside
    WAITING = "waiting"
    LOST = "lost"
    UNDECIDED = "undecided"  # accepted, and it is not known where it is
    REFUSED = "refused"  # certainly not taken
    UNCONFIRMED = "unconfirmed"  # never confirmed, and not seen anywhere


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the messages.

    Attributes:
        effects: the first receipt of each message that took effect, of those that are still there.
        doubled: messages with more than one receipt.
        placed: messages with an effect or a dead letter, and those that were set aside.
        missing: accepted messages that are in no place, sorted.
        hidden: how many of `missing` may be among the waiting ones whose ids are not known.
        decidable: whether the system settled and every place was probed.
        unexpected: messages in a place that were never attempted, sorted.
        recovered: messages never confirmed, yet effective.
        contradicted: messages that were only ever refused, yet took effect or died; sorted.
    """

    effects: dict[str, Receipt]
    doubled: list[str]
    placed: set[str]
    missing: list[str]
    hidden: int
    decidable: bool
    unexpected: list[str]
    recovered: int
    contradicted: list[str]

    @property
    def lost(self) -> int:
        """Messages that are certainly lost."""
        return len(self.missing) - self.hidden if self.decidable else 0

    @property
    def undecided(self) -> int:
        """Accepted messages of which it is not known where they are."""
        return len(self.missing) - self.lost


def determine(seen: Tally) -> Outcomes:
    """Determine the outcomes of everything that was seen."""
    there = seen.own_receipts()
    times = Counter(receipt.message_id for receipt in there)
    effects: dict[str, Receipt] = {}
    for receipt in there:
        effects.setdefault(receipt.message_id, receipt)
    ended = effects.keys() | seen.dead.keys()
    placed = ended | seen.aside.keys()
    missing = sorted(seen.accepted - placed - seen.pending)
    settled = seen.settled is not None and seen.settled.ok
    only_refused = (seen.refused.keys() & seen.attempted.keys()) - seen.accepted - seen.unsure
    return Outcomes(
        effects=effects,
        doubled=sorted(message for message, count in times.items() if count > 1),
        placed=placed,
        missing=missing,
        hidden=min(len(missing), seen.pending_nameless),
        decidable=settled and all(seen.looks.get(place, (False,))[0] for place in PLACES),
        unexpected=sorted(placed - seen.attempted.keys()),
        recovered=len((effects.keys() & seen.attempted.keys()) - seen.accepted - only_refused),
        contradicted=sorted(only_refused & ended),
    )


def outcome(message_id: str, seen: Tally, outcomes: Outcomes) -> Outcome:
    """What became of one attempted message. In two places at once, the effect decides."""
    if receipt := outcomes.effects.get(message_id):
        changed = receipt.effect in (Effect.CREATED, Effect.UPDATED, Effect.FILLED)
        return Outcome.COMMITTED if changed else Outcome.UNCHANGED
    if message_id in seen.dead or message_id in seen.aside:
        valid = seen.attempted[message_id].valid
        return Outcome.FAILED if valid else Outcome.DEAD_LETTERED
    if message_id in seen.pending:
        return Outcome.WAITING
    if message_id in seen.accepted:
        certain = outcomes.decidable and not outcomes.hidden
        return Outcome.LOST if certain else Outcome.UNDECIDED
    if message_id in seen.refused and message_id not in seen.unsure:
        return Outcome.REFUSED
    return Outcome.UNCONFIRMED
