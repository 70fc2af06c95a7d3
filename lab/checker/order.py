"""Newest wins, checked by receipts alone.

Two orders are known: that of the cursors (in which receipts became visible) and that of
`committed_at` (the database's clock, just before each commit). If two transactions overlapped,
the two may differ, and neither alone is the order of the writes. So a receipt counts as earlier
only if both orders say so. The receipts of one transaction are written together at its end, so
their own order says nothing. What that leaves open, the comparison of the stored matches with the
season decides.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from lab.checker.records import Receipt
from system.contract.submission import Effect

_OLDER = frozenset({Effect.STALE, Effect.FILLED})
"""Of an observation than which a newer one was stored already."""

_Age = tuple[datetime, str]
_NEVER: _Age = (datetime.min.replace(tzinfo=UTC), "")


@dataclass(slots=True)
class Disorder:
    """What contradicts "newest wins". Message ids, except `split`: identities of matches.

    Attributes:
        overwrote: changed a match that already held a newer observation.
        wrongly_stale: were called stale although nothing newer was there.
        created_again: created a match that was stored already.
        split: are stored as more than one match.
    """

    overwrote: list[str] = field(default_factory=list)
    wrongly_stale: list[str] = field(default_factory=list)
    created_again: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)


def disorder(receipts: Iterable[Receipt], *, from_beginning: bool = True) -> Disorder:
    """Find every contradiction; `receipts` in the order of their cursors. O(n log n).

    Args:
        receipts: those of every message.
        from_beginning: whether they begin with the store itself. If not, a match may hold something
            newer than all of them, unless it was created among them.
    """
    found = Disorder()
    matches: dict[int, list[Receipt]] = defaultdict(list)
    stored_as: dict[str, set[int]] = defaultdict(set)
    for receipt in receipts:
        matches[receipt.match_id].append(receipt)
        stored_as[receipt.identity].add(receipt.match_id)
    found.split = [identity for identity, ids in stored_as.items() if len(ids) > 1]
    for story in matches.values():
        known = from_beginning or any(each.effect is Effect.CREATED for each in story)
        _judge(story, found, stale_is_known=known)
    return found


def _judge(story: Sequence[Receipt], found: Disorder, *, stale_is_known: bool) -> None:
    """Check the receipts of one stored match."""
    clock = sorted({receipt.committed_at for receipt in story})
    by_clock = _NewestUpTo(len(clock))
    for receipt in story:
        if receipt.effect not in _OLDER:
            by_clock.put(_rank(clock, receipt), receipt.age)

    before = _NewestUpTo(len(clock))  # of those that come earlier by cursor
    newest, created = _NEVER, False
    for _, transaction in groupby(story, key=lambda receipt: receipt.received_at):
        together = list(transaction)
        effective = [each for each in together if each.effect not in _OLDER]
        newest = max([newest, *(each.age for each in effective)])
        for each in together:
            rank = _rank(clock, each)
            if each.effect in _OLDER:
                if stale_is_known and max(newest, by_clock.get(rank)) < each.age:
                    found.wrongly_stale.append(each.message_id)
            elif each.effect is not Effect.UNCHANGED and before.get(rank) > each.age:
                found.overwrote.append(each.message_id)
            if each.effect is Effect.CREATED:
                if created:
                    found.created_again.append(each.message_id)
                created = True
        for each in effective:
            before.put(_rank(clock, each), each.age)


def _rank(clock: Sequence[datetime], receipt: Receipt) -> int:
    """Its place among the distinct times of commit, from 1."""
    return bisect_right(clock, receipt.committed_at)


class _NewestUpTo:
    """The greatest age put at any rank up to a given one (a Fenwick tree); ranks from 1."""

    def __init__(self, size: int) -> None:
        self._nodes = [_NEVER] * (size + 1)

    def put(self, rank: int, age: _Age) -> None:
        while rank < len(self._nodes):
            self._nodes[rank] = max(self._nodes[rank], age)
            rank += rank & -rank

    def get(self, rank: int) -> _Age:
        newest = _NEVER
        while rank > 0:
            newest = max(newest, self._nodes[rank])
            rank -= rank & -rank
        return newest
