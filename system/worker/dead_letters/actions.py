"""What an operator does with dead letters: send them again, or discard them. One at a time.

The order makes a crash of this process harmless: the message is safe in its new place first, and
only then leaves the dead-letter queue. In between it is in both under one id, which the store's
receipt makes harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from system.contract.topology import EXCHANGE
from system.errors import BrokerUnavailable
from system.messaging.publisher import Publisher, PublishOutcome
from system.worker.dead_letters import letter as letters
from system.worker.dead_letters.file import LetterFile
from system.worker.dead_letters.prospects import would_die_of
from system.worker.dead_letters.queue import HeldLetter

PUBLISH_WITHIN_S = 10.0


class LetterOutcome(StrEnum):
    """What became of a dead letter."""

    REPLAYED = "replayed"
    DISCARDED = "discarded"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class LetterResult:
    """One dead letter and what became of it; `detail` says where it went, or why it was kept."""

    letter: letters.DeadLetter
    outcome: LetterOutcome
    detail: str


def replay(
    held: Iterable[HeldLetter], publisher: Publisher | None, *, force: bool, replays_max: int
) -> Iterator[LetterResult]:
    """Send each to the queue that it came from, under its own id, for a first attempt again.

    Args:
        held: what to send.
        publisher: None for a dry run: everything is decided, nothing is done.
        force: also those that would die again (see `prospects`), or were replayed too often.
        replays_max: see `letters.revive`.

    Raises:
        BrokerUnavailable: the broker went away; that one and the rest are where they were.
    """
    for held_letter in held:
        letter = held_letter.letter
        try:
            envelope = letters.revive(letter, force=force, replays_max=replays_max)
        except letters.NotReplayable as why:
            yield LetterResult(letter, LetterOutcome.KEPT, str(why))
            continue
        why_again = would_die_of(envelope, letter.queue, datetime.now(UTC))
        if why_again and not force:
            detail = f"since it would die again (--force sends it all the same): {why_again}"
            yield LetterResult(letter, LetterOutcome.KEPT, detail)
            continue
        if publisher is not None:
            (result,) = publisher.publish(
                [envelope], exchange=EXCHANGE, key=letter.queue, within_s=PUBLISH_WITHIN_S
            )
            if result.outcome is PublishOutcome.REFUSED:
                yield LetterResult(letter, LetterOutcome.KEPT, result.detail)
                continue
            if result.outcome is PublishOutcome.UNKNOWN:
                raise BrokerUnavailable(
                    f"it is not known whether {letter.message_id} is in {letter.queue}:"
                    f" {result.detail}"
                )
            held_letter.take()
        yield LetterResult(letter, LetterOutcome.REPLAYED, f"to {letter.queue}")


def discard(
    held: Iterable[HeldLetter], file: LetterFile | None, *, dry_run: bool
) -> Iterator[LetterResult]:
    """Write each to `file`, if there is one, and take it out of the queue.

    Raises:
        LetterFileError: the file could not be written; that one and the rest are where they were.
        BrokerUnavailable: the broker went away.
    """
    for held_letter in held:
        where = "for good"
        if file is not None:
            where = f"to {file.path}"
            if not dry_run:
                file.append(held_letter.letter)
        if not dry_run:
            held_letter.take()
        yield LetterResult(held_letter.letter, LetterOutcome.DISCARDED, where)
