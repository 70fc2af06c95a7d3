"""Journals: what senders outside of this process attempted, one JSON object a line.

The scraper writes its own; a load that Locust drives writes one for each of its processes. Both are
read as they grow, wherever they lie.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

PIECE_BYTES_MAX = 1024 * 1024
SCRAPER, LOAD = "scraper", "load"


@dataclass(frozen=True)
class Journal:
    """A journal.

    Attributes:
        name: of its file.
        read: gives what it holds from an offset on, a bounded piece; None if it is not there yet.
        sender: whose it is, `SCRAPER` or `LOAD`.
    """

    name: str
    read: Callable[[int], bytes | None] = field(compare=False)
    sender: str = SCRAPER


def load_journal(folder: Path, place: int) -> Journal:
    """The journal of one share of a load, in the folder of a run."""
    path = folder / f"journal-load-{place}.jsonl"
    return Journal(path.name, partial(_piece, path), LOAD)


def _piece(path: Path, offset: int) -> bytes | None:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(PIECE_BYTES_MAX)
    except FileNotFoundError:
        return None


class JournalWriter:
    """Appends to the journal of a share; see `load_journal`. Use as a context manager.

    An entry is with the operating system when `write` returns: it outlives this process, whatever
    ends it. It is not forced to the disk, which would make each message of a load wait for it.

    Raises:
        OSError: the file is there already, or cannot be written.
    """

    def __init__(self, folder: Path, place: int) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(folder / load_journal(folder, place).name, flags, 0o644)

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def write(self, event: str, **fields: Any) -> None:
        """Append an entry; `fields` are JSON."""
        entry = {"at": datetime.now(UTC).isoformat(), "event": event, **fields}
        left = memoryview(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        while left:  # a write may be cut short
            left = left[os.write(self._file, left) :]


class JournalReader:
    """Follows any number of journals. Not for several threads at once."""

    def __init__(self) -> None:
        self._offsets: dict[Journal, int] = {}

    @property
    def journals(self) -> list[Journal]:
        """Those that are followed."""
        return list(self._offsets)

    def follow(self, journal: Journal) -> None:
        """Follow one more, from its beginning; nothing if that is done already."""
        self._offsets.setdefault(journal, 0)

    def read_on(self) -> Iterator[tuple[Journal, Any]]:
        """Every entry since the last time, as decoded JSON of any kind.

        An entry is read again if the caller breaks off before asking for the next one.
        """
        for journal in self.journals:
            while whole := _whole_lines(journal.read(self._offsets[journal])):
                for line in whole.splitlines(keepends=True):
                    if (entry := _decoded(line)) is not None:
                        yield journal, entry
                    self._offsets[journal] += len(line)


def _whole_lines(piece: bytes | None) -> bytes:
    """Without the last line if that is still being written."""
    return piece[: piece.rfind(b"\n") + 1] if piece else b""


def _decoded(line: bytes) -> Any:
    """None for a line that a crash tore: the next run of the scraper put a line end behind it."""
    try:
        return json.loads(line)
    except ValueError:
        return None
