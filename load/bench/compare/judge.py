"""Whether another library did what it was measured at: every message, once, the newest on top.

Pure. A rate of a worker that lost a row or wrote one twice is no rate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

SHOWN_MAX = 3


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that the broker confirmed."""

    message_id: str
    identity: str
    observed_at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What was there when the workers had ended.

    Attributes:
        receipts: the message id of each row.
        matches: the message id that each match shows, by identity.
        waiting: messages in the queue; those that were never acknowledged are there again.
    """

    receipts: Sequence[str]
    matches: Mapping[str, str]
    waiting: int


def complaints(sent: Sequence[Sent], seen: Seen) -> list[str]:
    """What is wrong, in words; nothing if all is right."""
    wanted = {each.message_id for each in sent}
    counted = Counter(seen.receipts)
    newest: dict[str, tuple[datetime, str]] = {}
    for each in sent:
        age = each.observed_at, each.message_id
        newest[each.identity] = max(age, newest.get(each.identity, age))
    found = {
        "messages have no receipt": sorted(wanted - counted.keys()),
        "messages have several receipts": sorted(id_ for id_, n in counted.items() if n > 1),
        "receipts are of no message that was sent": sorted(counted.keys() - wanted),
        "matches are not their newest observation": sorted(
            key for key, (_, message_id) in newest.items() if seen.matches.get(key) != message_id
        ),
        "matches were never sent": sorted(seen.matches.keys() - newest.keys()),
    }
    said = [f"{len(which)} {what}, as {_some(which)}" for what, which in found.items() if which]
    if seen.waiting:
        said.append(f"{seen.waiting} messages were not acknowledged")
    return said


def _some(which: Sequence[str]) -> str:
    return ", ".join(which[:SHOWN_MAX])
