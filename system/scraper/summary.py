"""The sums of a run: counted while it runs, then printed for a person or a program."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table
from rich.text import Text

from system.scraper.gaps import Gap, Remark
from system.scraper.parsing.schedule import RefusedRow, Schedule

_KINDS_MAX = 50
_KIND_LENGTH_MAX = 300
_LINES_MAX = 50
_OUTBOX = "outbox"

EXIT_CODES = {
    0: "complete: everything was read and accepted",
    1: "partial: everything was read, and some rows were refused",
    2: "could not run: a setting is wrong, or no page could be read",
    3: "undelivered: something was read and could not be accepted anywhere",
    4: "incomplete: something may not have been read",
    5: "spooled: everything was read, and all messages had to stay in the outbox",
}


@dataclass
class Summary:
    """The sums of one run.

    Attributes:
        dry_run: whether nothing is sent.
        pages: pages read.
        rows: rows on them, each time that they came.
        read: rows that are matches.
        refused: rows that are none, by reason; reasons beyond the first 50 count as "…".
        repeated: rows that said the same as before in this run, including refused ones.
        fresh: matches to be sent: those of `read` that were no repeats.
        accepted: messages that are safe, by way.
        denied: messages that could not be accepted, by reason.
        gaps: why something may not have been read, by kind.
        incomplete: the same in words, with the page; the first 50.
        notes: pages at which reading ended early, though nothing is missing; the first 50.
    """

    dry_run: bool = False
    pages: int = 0
    rows: int = 0
    read: int = 0
    repeated: int = 0
    fresh: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    denied: Counter[str] = field(default_factory=Counter)
    gaps: Counter[Gap] = field(default_factory=Counter)
    incomplete: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def read_page(self, page: Schedule, refused: Sequence[RefusedRow]) -> None:
        """Count a page that was read, and those of its refused rows that are new in this run."""
        self.pages += 1
        self.rows += len(page.matches) + len(page.refused)
        self.read += len(page.matches)
        for row in refused:
            _count(self.refused, row.reason)

    def remark(self, remark: Remark) -> None:
        """Take in a remark about the reading."""
        if remark.gap is not None:
            self.gaps[remark.gap] += 1
        lines = self.notes if remark.gap is None else self.incomplete
        if len(lines) < _LINES_MAX:
            lines.append(str(remark))

    def settled(self, outcome: str, way: str, detail: str) -> None:
        """Count what became of one message."""
        if outcome == "accepted":
            self.accepted[way] += 1
        else:
            _count(self.denied, f"{outcome} by {way}: {detail}")

    @property
    def exit_code(self) -> int:
        """See `EXIT_CODES`."""
        if not self.pages:
            return 2
        if self.denied:
            return 3
        if self.gaps:
            return 4
        if self.accepted and set(self.accepted) == {_OUTBOX}:
            return 5
        return 1 if self.refused else 0

    def counts(self) -> dict[str, int]:
        """The sums, for the journal."""
        return {
            "pages": self.pages,
            "rows": self.rows,
            "read": self.read,
            "repeated": self.repeated,
            "refused": self.refused.total(),
            "accepted": self.accepted.total(),
        }

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {
            **self.counts(),
            "fresh": self.fresh,
            "accepted_by_way": dict(self.accepted),
            "denied": self.denied.total(),
            "denied_reasons": dict(self.denied),
            "refused_reasons": dict(self.refused),
            "gaps": dict(self.gaps),
            "incomplete": self.incomplete,
            "notes": self.notes,
            "dry_run": self.dry_run,
            "exit_code": self.exit_code,
            "meaning": EXIT_CODES[self.exit_code],
        }

    def as_table(self) -> Table:
        """Everything, for a person."""
        table = Table(title="dry run: nothing was sent" if self.dry_run else None)
        table.add_column("what")
        table.add_column("count", justify="right")
        counts = self.counts()
        for name in ("pages", "rows", "read", "repeated"):
            table.add_row(name, str(counts[name]))
        _add(table, "would be sent" if self.dry_run else "to send", Counter({"": self.fresh}))
        _add(table, "accepted", self.accepted)
        _add(table, "row refused", self.refused)
        _add(table, "not accepted", self.denied)
        for name, lines in (("not read", self.incomplete), ("note", self.notes)):
            for line in lines:
                table.add_row(Text(f"{name}: {line}"), "")
        return table


def _count(kinds: Counter[str], kind: str) -> None:
    short = kind if len(kind) <= _KIND_LENGTH_MAX else f"{kind[: _KIND_LENGTH_MAX - 1]}…"
    kinds[short if short in kinds or len(kinds) < _KINDS_MAX else "…"] += 1


def _add(table: Table, name: str, counter: Counter[str]) -> None:
    for kind, count in counter.most_common():
        # Text, not str: what pages say must not be taken for markup.
        table.add_row(Text(f"{name}: {kind}" if kind else name), str(count))
