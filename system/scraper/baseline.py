"""How many matches the last good run read at the same addresses, kept beside the outbox.

A schedule that suddenly shows a fraction of its matches is a schedule of which a part is missing,
though every page could be read: a filter that is set, a league that is left out. Runs are compared
by their addresses, so that one page read by hand is not taken for the whole schedule.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from system.errors import Unavailable
from system.scraper.gaps import Gap, Remark
from system.scraper.outbox import BUSY_S, Outbox

MATCHES_MIN = 20
"""Of a run that others are compared with: below it, a weekend more or less is half of them."""
KEPT_MAX = 1000

_LAYOUT = """
CREATE TABLE IF NOT EXISTS baseline (
    schedule TEXT PRIMARY KEY,
    matches INTEGER NOT NULL,
    read_at TEXT NOT NULL
)"""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a run is compared with.

    Attributes:
        matches: that the last good run read.
        share_min: the share of them below which a run has read too few, 0 to 1.
    """

    matches: int
    share_min: float

    def doubt(self, matches: int) -> Remark | None:
        """What to say of a run that has read this many; None if that is not too few."""
        if self.matches < MATCHES_MIN or matches >= self.share_min * self.matches:
            return None
        return Remark(
            "the whole schedule",
            f"{matches} matches were read, and {self.matches} by the last good run; if that is"
            " right, accept it by one run with MISSING_TABLE_MATCHES_SHARE_MIN=0",
            Gap.FEW_ROWS,
        )


def name_schedule(addresses: Iterable[object]) -> str:
    """The name of a schedule, from the addresses or files of its first pages, in any order."""
    lines = "\n".join(sorted(map(str, addresses)))
    return hashlib.sha256(lines.encode("utf-8", "replace")).hexdigest()


def read_matches(outbox: Path, schedule: str) -> int | None:
    """How many matches the last good run read; None before the first. Creates no file.

    Raises:
        Unavailable: the file cannot be read.
    """
    if not outbox.exists():
        return None
    try:
        address = f"file:{quote(str(outbox.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as database:
            if not database.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'baseline'"
            ).fetchone():
                return None
            found = database.execute(
                "SELECT matches FROM baseline WHERE schedule = ?", (schedule,)
            ).fetchone()
    except sqlite3.Error as error:
        raise Unavailable(f"outbox {outbox}: cannot be read ({error})") from error
    return int(found[0]) if found else None


def keep_matches(outbox: Outbox, schedule: str, matches: int) -> None:
    """Keep what a good run has read; of other schedules, those that were read last.

    Raises:
        OutboxFull, Unavailable: the file could not be written.
    """
    with outbox.transaction("IMMEDIATE") as database:
        database.execute(_LAYOUT)
        database.execute(
            "INSERT OR REPLACE INTO baseline (schedule, matches, read_at) VALUES (?, ?, ?)",
            (schedule, matches, datetime.now(UTC).isoformat()),
        )
        database.execute(
            "DELETE FROM baseline WHERE schedule NOT IN"
            " (SELECT schedule FROM baseline ORDER BY read_at DESC LIMIT ?)",
            (KEPT_MAX,),
        )
