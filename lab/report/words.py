"""What a run is called on its page, and what the words there mean. Pure."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from lab.checker.check import Audit
from lab.checker.records import Death
from lab.report.formatting import clean

COUNTS = {
    "attempted": "sent, or about to be: in the sender's journal before it was sent",
    "accepted": "safe: confirmed by the broker, answered by the API, or in the outbox",
    "committed": "its effect changed a stored match",
    "unchanged": "its effect changed nothing: the store knew it already, or something newer",
    "dead_lettered": "given up with a reason, and kept; right for a message that breaks the"
    " contract",
    "waiting": "in a queue, a retry step or the outbox when the run ended",
    "lost": "accepted, and in no place",
    "duplicated": "took effect twice",
    "unexpected": "took effect, though nobody sent it",
    "undecided": "not every place where it can be was seen",
    "recovered": "took effect though its acceptance was never confirmed",
    "refused": "certainly in no queue: the sender knows, and keeps it",
    "unconfirmed": "sent, and never confirmed nor refused",
    "others": "sent by somebody else to a lab that is shared",
    "rows_refused": "rows of the league's pages that nobody can read",
}
LATENCIES = {
    "mean": "of all messages; the objective is about this one",
    "p50": "half of the messages took no longer",
    "p95": "95 % of the messages took no longer",
    "p99": "99 % of the messages took no longer",
    "max": "the slowest message",
}
_SCRAPE = re.compile(r"scrape \d+")
_FAULTS_NAMED = 3


def title(audit: Audit) -> str:
    """What ran: `Season of 1,040 matches, scraped 5 times, 2 workers, with broker-killed`."""
    parts = [_subject(audit)]
    if isinstance(workers := audit.settings.get("workers"), int):
        parts.append(f"{workers} worker{'' if workers == 1 else 's'}")
    faults = list(dict.fromkeys(fault.name for fault in audit.faults))
    if faults:
        more = f" and {len(faults) - _FAULTS_NAMED} more" if len(faults) > _FAULTS_NAMED else ""
        parts.append(f"with {', '.join(faults[:_FAULTS_NAMED])}{more}")
    return ", ".join(parts)


def _subject(audit: Audit) -> str:
    kind, _, which = audit.name.partition("-")
    if kind == "season":
        matches = audit.settings.get("matches")
        scrapes = sum(bool(_SCRAPE.fullmatch(check.name)) for check in audit.checks)
        size = f" of {matches:,} matches" if isinstance(matches, int) else ""
        times = "once" if scrapes == 1 else f"{scrapes} times"
        return f"Season{size}" + (f", scraped {times}" if scrapes else "")
    return f"Load {which}" if kind == "load" and which else audit.name


class Deaths(NamedTuple):
    """The dead letters of one reason.

    Attributes:
        shown: the first of them, those of good messages first.
        details: the most frequent details, each with how often it was given.
    """

    reason: str
    total: int
    shown: list[Death]
    details: list[tuple[str, int]]


def by_reason(deaths: Sequence[Death], shown_max: int) -> list[Deaths]:
    """Dead letters by their reason, the most frequent first; `shown_max` of all are shown."""
    groups: dict[str, list[Death]] = defaultdict(list)
    for death in deaths:
        groups[clean(death.reason, 80) or "(none)"].append(death)
    found, left = [], shown_max
    for reason, those in sorted(groups.items(), key=lambda each: -len(each[1])):
        details = Counter(clean(death.detail, 200) or "(none)" for death in those)
        found.append(Deaths(reason, len(those), those[:left], details.most_common(3)))
        left -= len(found[-1].shown)
    return found
