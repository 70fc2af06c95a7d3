"""Dead letters for a person to read. Their content was written by others, so it is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from system.errors import abbreviate
from system.worker.dead_letters.letter import DeadLetter
from system.worker.dead_letters.reasons import ADVICE

DETAIL_CHARS = 60
BODY_CHARS = 4000


@dataclass
class ReasonSums:
    """How many died of one reason, and between when; times that are not known are left out."""

    letters: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None

    def add(self, letter: DeadLetter) -> None:
        """Count one more."""
        self.letters += 1
        if letter.died_at is not None:
            self.oldest = min(self.oldest or letter.died_at, letter.died_at)
            self.newest = max(self.newest or letter.died_at, letter.died_at)


def reasons(sums: Mapping[str, ReasonSums]) -> RenderableType:
    """How many there are, and the reasons, the most frequent first."""
    total = sum(each.letters for each in sums.values())
    if not total:
        return Text("No dead letters of this kind.")
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("reason", "letters", "oldest (UTC)", "newest (UTC)", "what to do"):
        grid.add_column(name, overflow="fold", justify="right" if name == "letters" else "left")
    for reason, each in sorted(sums.items(), key=lambda item: (-item[1].letters, item[0])):
        grid.add_row(
            plain(reason),
            plain(str(each.letters)),
            plain(_when(each.oldest)),
            plain(_when(each.newest)),
            plain(ADVICE.get(reason, "")),
        )
    return Group(Text(f"{total} dead letter{'s' * (total != 1)}\n"), grid, Text())


def table(found: Sequence[DeadLetter], total: int) -> RenderableType:
    """The list, one line each.

    Args:
        found: what to show.
        total: how many the filters select, shown or not.
    """
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "reason", "detail", "queue", "died (UTC)", "tries", "replays"):
        grid.add_column(name, overflow="fold", justify="right" if name[-1] == "s" else "left")
    for letter in found:
        grid.add_row(
            plain(letter.message_id),
            plain(letter.reason),
            plain(cut(letter.detail, DETAIL_CHARS)),
            plain(letter.queue),
            plain(_when(letter.died_at)),
            plain(str(letter.attempts)),
            plain(str(letter.replays)),
        )
    if len(found) == total:
        return grid
    more = f"\n{len(found)} of the {total} are shown; --limit shows more"
    return Group(grid, Text(more))


def _when(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if at else "?"


def details(letter: DeadLetter) -> RenderableType:
    """Everything of one: its death, its headers, its body."""
    return Group(
        Text(f"{escaped(letter.message_id)} died of {escaped(letter.reason)}", style="bold"),
        plain(f"detail   {letter.detail}"),
        plain(f"task     {letter.task}"),
        plain(f"queue    {letter.queue}"),
        plain(f"died     {letter.died_at or 'at an unknown time'}"),
        plain(f"tries    {letter.attempts}, replays {letter.replays}"),
        Text("\nheaders", style="bold"),
        *(
            plain(f"{name}: {abbreviate(value, BODY_CHARS)}")
            for name, value in sorted(letter.headers.items())
        ),
        Text(f"\nbody, {len(letter.body)} bytes of {letter.content_type}", style="bold"),
        Text(_body(letter)),
    )


def _body(letter: DeadLetter) -> str:
    """JSON indented, anything else escaped; cut, if it is long."""
    try:
        spread = json.dumps(json.loads(letter.body), indent=2, ensure_ascii=False)
        text = "\n".join(map(escaped, spread.splitlines()))
    except (ValueError, RecursionError):
        text = repr(letter.body[:BODY_CHARS])[2:-1]
    cut_off = max(0, max(len(text), len(letter.body)) - BODY_CHARS)
    return text if not cut_off else f"{text[:BODY_CHARS]}…\n(cut; discard --to FILE keeps it all)"


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of `text`."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def escaped(text: str) -> str:
    """`text` without characters that control a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def plain(text: str) -> Text:
    """`text` without terminal escapes and markup."""
    return Text(escaped(text))
