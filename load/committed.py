"""Reads from the observer's history, as it grows, when each message of a load took effect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from lab.history import log

PIECE_BYTES_MAX = 4 * 1024 * 1024
_MARK = b'"event":"receipt"'


class Committed:
    """Follows the history of one run.

    Args:
        folder: of the run.
        series: the seed of the load; in a lab that is shared, others have receipts too.
    """

    def __init__(self, folder: Path, series: str) -> None:
        self._path = folder / log.FILE
        self._matches = f"load-{series}-"
        self._offset = 0
        self._seen: set[str] = set()

    def read_on(self) -> Iterator[float]:
        """Milliseconds from publish to commit, of each message seen since the last time."""
        while True:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                piece = file.read(PIECE_BYTES_MAX)
            whole = piece[: piece.rfind(b"\n") + 1]
            if not whole:
                return
            self._offset += len(whole)
            for line in whole.splitlines():
                # Most lines are no receipts: they are not even decoded.
                if _MARK in line and (ms := self._latency_ms(line)) is not None:
                    yield ms

    def _latency_ms(self, line: bytes) -> float | None:
        receipt = json.loads(line)
        if not receipt["identity"].startswith(self._matches) or not receipt["published_at"]:
            return None
        if receipt["message_id"] in self._seen:
            return None  # a second effect is a matter of the verdict, not of latency
        self._seen.add(receipt["message_id"])
        began = datetime.fromisoformat(receipt["published_at"])
        return max(
            0.0, (datetime.fromisoformat(receipt["committed_at"]) - began).total_seconds()
        ) * (1000)
