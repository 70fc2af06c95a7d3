"""What a run did, one JSON object a line. Attempts are on disk before they are made.

After a crash the journal names every message whose outcome is not known: an attempt without an
outcome may have been sent or not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from system.contract.envelope import Envelope
from system.contract.match import Match
from system.errors import SettingsError
from system.scraper.gaps import Remark
from system.scraper.parsing.schedule import RefusedRow


class Journal:
    """Appends to a file, or to nothing. Use as a context manager.

    Every line has `at` (when it was written, ISO 8601 in UTC) and `event`; the events are the
    methods below.

    Args:
        path: the file, created if it is missing; None to keep no journal.

    Raises:
        SettingsError: the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._file: int | None = None
        if path is None:
            return
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise SettingsError(f"journal {path}: cannot be written ({error.strerror})") from error
        if _ends_torn(self._file):  # a crash cut the last line; it must not damage the next one
            os.write(self._file, b"\n")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Put everything on disk and close the file. May be called twice."""
        if self._file is not None:
            os.fsync(self._file)
            os.close(self._file)
            self._file = None

    def attempted(self, sent: Iterable[tuple[Envelope, Match]]) -> None:
        """Write that these are about to be sent. On disk when this returns."""
        self._write(
            {
                "event": "attempted",
                "message_id": envelope.message_id,
                "identity": match.identity,
                "published_at": envelope.published_at.isoformat(),
                "observed_at": match.observed_at.isoformat() if match.observed_at else None,
            }
            for envelope, match in sent
        )
        if self._file is not None:
            os.fsync(self._file)

    def settled(self, results: Iterable[tuple[str, str, str, str]]) -> None:
        """Write what became of messages: message id, outcome (the event's name), way, detail."""
        self._write(
            {"event": str(outcome), "message_id": message_id, "way": way, "detail": detail}
            for message_id, outcome, way, detail in results
        )

    def rows_refused(self, refused: Sequence[RefusedRow]) -> None:
        """Write the rows that are no matches."""
        self._write(
            {
                "event": "row_refused",
                "page": row.page,
                "row": row.row,
                "reason": row.reason,
                "excerpt": row.excerpt,
            }
            for row in refused
        )

    def incomplete(self, remark: Remark) -> None:
        """Write why something may not have been read."""
        self._write(
            [
                {
                    "event": "incomplete",
                    "reason": remark.gap,
                    "page": remark.page,
                    "detail": remark.text,
                }
            ]
        )

    def repeated(self, count: int) -> None:
        """Write how many rows of a page repeat what this run has sent before."""
        self._write([{"event": "repeated", "count": count}])

    def scraped(self, counts: dict[str, int]) -> None:
        """Write the sums of the run; it is over."""
        self._write([{"event": "scraped", **counts}])

    def _write(self, events: Iterable[dict[str, Any]]) -> None:
        if self._file is None:
            return
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        lines = "".join(
            json.dumps({"at": at, **event}, ensure_ascii=False) + "\n" for event in events
        )
        left = memoryview(lines.encode("utf-8", "replace"))
        while left:  # a write may be cut short
            left = left[os.write(self._file, left) :]


def _ends_torn(file: int) -> bool:
    size = os.fstat(file).st_size
    return size > 0 and os.pread(file, 1, size - 1) != b"\n"
