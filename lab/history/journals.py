"""Reads the scraper's journals as they grow, wherever they lie."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Journal:
    """A scraper's journal.

    Attributes:
        name: of its file.
        read: gives what it holds from an offset on, a bounded piece; None if it is not there yet.
    """

    name: str
    read: Callable[[int], bytes | None] = field(compare=False)


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
