"""The record of a run: what was attempted and what was seen, appended as JSON lines.

Record first, judge later: nothing here decides anything. Each line is one JSON object with `at`
(ISO 8601, UTC) and `event`; `EVENTS` lists every event with the fields it must have, and
docs/reference/verdict.md says what each means.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from lab.errors import LabError

FILE = "history.jsonl"

LINE_BYTES_MAX = 1024 * 1024
"""A longer line is neither written nor read."""

TORN = "torn"
"""The event that a reader gives in place of a last line that a crash cut off; never written."""

EVENTS: Mapping[str, tuple[str, ...]] = {
    event: tuple(fields.split())
    for event, fields in {
        "started": "name substrate seed settings",
        "scrape": "index moment phase",
        "attempted": "message_id identity published_at observed_at sender expect",
        "accepted": "message_id way",
        "refused": "message_id way detail",
        "unknown": "message_id way detail",
        "row_refused": "page row reason excerpt",
        "receipt": "cursor message_id identity match_id effect way attempt observed_at"
        " observed_from published_at received_at committed_at",
        "dead_letter": "message_id reason detail where died_at published_at queue",
        "set_aside": "message_id reason",
        "vanished": "place message_id",
        "pending": "where",
        "depth": "queue ready",
        "fault": "name phase detail",
        "scaled": "role count",
        "check": "name verdict detail",
        "looked": "what ok detail",
        "doubt": "detail",
        "settled": "ok seconds waiting",
        "ended": "",
    }.items()
}
"""Every event, and the fields that it must have; more are allowed."""


class HistoryError(LabError):
    """The record cannot be written, or what was read is no history. Names file and line."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a history.

    Attributes:
        line: its number in the file, from 1.
        at: when it was written, in UTC.
        event: which event, a key of `EVENTS` (or `TORN`).
        fields: everything else on the line.
    """

    line: int
    at: datetime
    event: str
    fields: Mapping[str, Any]

    def text(self, name: str) -> str:
        """The field as text.

        Raises:
            HistoryError: it is missing or something else.
        """
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise self.wrong(name, "text")
        return value

    def truth(self, name: str) -> bool:
        """The field as true or false; raises HistoryError as `text` does."""
        value = self.fields.get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def number(self, name: str) -> float:
        """The field as a number; raises HistoryError as `text` does."""
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.wrong(name, "a number")
        return value

    def time(self, name: str) -> datetime:
        """The field as a time with its offset; raises HistoryError as `text` does."""
        time = _time(self.fields.get(name))
        if time is None:
            raise self.wrong(name, "a time with its offset")
        return time

    def time_or_none(self, name: str) -> datetime | None:
        """The same, or None if the field is null or left out."""
        return None if self.fields.get(name) is None else self.time(name)

    def wrong(self, name: str, wanted: str) -> HistoryError:
        """The error for a field that is not what it must be."""
        found = repr(self.fields.get(name, "nothing"))[:100]
        return HistoryError(
            f"line {self.line}: {name} of event {self.event!r} must be {wanted}, not {found}"
        )


class History:
    """Appends events to a file; safe to share between threads.

    Every line goes to the operating system at once (no buffer that a crash could lose), and a
    durable one to the disk. A history that ends in a torn line is not continued.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`, creating it if it is missing.

        Raises:
            HistoryError: it cannot be opened, or its last line is torn.
        """
        self._path = path
        self._lock = threading.Lock()
        self._broken: str | None = None
        try:
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            size = os.fstat(self._file).st_size
            torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"
        except OSError as error:
            raise HistoryError(f"cannot open the history {path}: {error.strerror}") from error
        if torn:
            os.close(self._file)
            raise HistoryError(f"{path} ends in a torn line; start a new history for a new run")

    def write(
        self, event: str, /, *, durable: bool = False, at: datetime | None = None, **fields: Any
    ) -> None:
        """Append one event, whole or not at all.

        Args:
            event: a key of `EVENTS`.
            durable: return only when this line, and every line before it, is on the disk.
            at: when it happened; now, if left out.
            fields: what the event needs, and more if wished. Times may be `datetime` with an
                offset; everything else is JSON.

        Raises:
            HistoryError: an unknown event, a missing field, a value that is no JSON, a line over
                `LINE_BYTES_MAX`, a closed history, or a disk that does not take it.
        """
        line = _encode(event, at or datetime.now(UTC), fields)
        with self._lock:
            if self._broken is not None:
                raise HistoryError(f"cannot write {event!r} to {self._path}: {self._broken}")
            try:
                rest = memoryview(line)
                while rest:
                    rest = rest[os.write(self._file, rest) :]
                if durable:
                    os.fsync(self._file)
            except OSError as error:
                # Half a line may be there now: another one after it would hide the tear.
                self._broken = f"an earlier write failed ({error})"
                raise HistoryError(f"cannot write to {self._path}: {error}") from error

    def close(self) -> None:
        """Put everything on the disk and close; a second call does nothing."""
        with self._lock:
            if self._broken != "it is closed":
                self._broken = "it is closed"
                try:
                    os.fsync(self._file)
                except OSError as error:
                    raise HistoryError(f"cannot write to {self._path}: {error}") from error
                finally:
                    os.close(self._file)

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read(path: Path) -> Iterator[Event]:
    """Give the events of a history, one by one, in the order in which they were written.

    A last line without its line end was cut off by a crash: it is given as event `TORN`.

    Raises:
        HistoryError: the file cannot be opened, or a line is no event. Names the line.
    """
    try:
        with path.open("rb") as file:
            yield from _events(file, path)
    except OSError as error:
        raise HistoryError(f"cannot read the history {path}: {error.strerror}") from error


def _events(file: BinaryIO, path: Path) -> Iterator[Event]:
    number, last = 0, datetime.min.replace(tzinfo=UTC)
    while raw := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(raw) > LINE_BYTES_MAX:
            raise HistoryError(f"{path}, line {number}: longer than {LINE_BYTES_MAX} bytes")
        if not raw.endswith(b"\n"):
            yield Event(number, last, TORN, {"bytes": len(raw)})
            return
        try:
            event = _decode(raw, number)
        except (ValueError, RecursionError) as error:
            raise HistoryError(f"{path}, line {number}: no event ({error})") from error
        last = event.at
        yield event


def _encode(event: str, at: datetime, fields: dict[str, Any]) -> bytes:
    needed = EVENTS.get(event)
    if needed is None:
        raise HistoryError(f"no event is called {event!r}; known are {', '.join(EVENTS)}")
    if missing := [name for name in needed if name not in fields]:
        raise HistoryError(f"event {event!r} lacks {', '.join(missing)}")
    if "event" in fields:
        raise HistoryError(f"event {event!r} cannot have a field called event")
    try:
        text = json.dumps(
            {"at": _written(at), "event": event, **fields},
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            default=_written,
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise HistoryError(f"event {event!r} is no JSON: {error}") from error
    # Half of a surrogate pair cannot be written as UTF-8; it becomes a question mark.
    line = text.encode("utf-8", "replace") + b"\n"
    if len(line) > LINE_BYTES_MAX:
        raise HistoryError(
            f"event {event!r} takes {len(line)} bytes, over {LINE_BYTES_MAX}; "
            "write it in several lines"
        )
    return line


def _written(value: Any) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    raise TypeError(f"{type(value).__name__} {str(value)[:100]!r} cannot be written")


def _decode(raw: bytes, number: int) -> Event:
    record = _JSON.decode(raw.decode("utf-8"))
    if not isinstance(record, dict):
        raise ValueError("not an object")  # noqa: TRY004 - a fault of the file, not of the caller
    at, event = _time(record.pop("at", None)), record.pop("event", None)
    if at is None or not isinstance(event, str):
        raise ValueError("lacks its time or its name")
    return Event(number, at, event, record)


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")


_JSON = json.JSONDecoder(parse_constant=_refused)


def _time(value: Any) -> datetime | None:
    """Read ISO 8601 with an offset; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return None if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
