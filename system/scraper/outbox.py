"""The durable spool: its messages survive a crash of the scraper and of its machine.

A message waits here until it was sent. One that the API refused for good is kept aside, with the
reason, until a person has looked at it.

One SQLite file. Its write-ahead log lets two processes use it at once, and `synchronous=FULL`
puts every commit on disk before `put` returns.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from system.contract.envelope import Envelope
from system.errors import OutboxFull, SettingsError, Unavailable

LIMIT = 100_000
REASON_MAX = 2000
BUSY_S = 30.0
LOOK_AGAIN_S = 0.005
"""While another process switches a new file to the write-ahead log, which takes a few writes."""
_FORMAT = 0x4D544F32  # "MTO2", in the header of the file: ours, and this layout
_FORMAT_BEFORE = 0x4D544F31  # had no column `refused`

_LAYOUT = """
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,
    headers TEXT NOT NULL,
    content_type TEXT NOT NULL,
    content_encoding TEXT NOT NULL,
    refused TEXT  -- why it was refused; NULL while it waits
)"""
_UPGRADE = "ALTER TABLE outbox ADD COLUMN refused TEXT"


class Outbox:
    """Envelopes that wait, in the order of arrival. Use as a context manager.

    Several processes and threads may use one file; each call is one transaction.

    Args:
        path: the file; its folder must be there.
        limit: envelopes it holds at most, including those kept aside.
        create: whether to create it if it is missing. Who only looks at it, or sends what is in
            it, must not: a wrong path would look like an empty outbox.

    Raises:
        SettingsError: the file cannot be opened, or is something else; or it is not there, and is
            not to be created.
    """

    def __init__(self, path: Path, limit: int = LIMIT, *, create: bool = True) -> None:
        self._path = path
        self._limit = limit
        self._lock = threading.Lock()
        if not create and not path.exists():
            raise self._missing("there is no such file")
        try:
            # Autocommit; `transaction` begins and ends what belongs together.
            self._database = sqlite3.connect(
                f"file:{quote(str(path.absolute()))}?mode={'rwc' if create else 'rw'}",
                uri=True,
                timeout=BUSY_S,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise self._not_ours(error) from error
        try:
            self._prepare(create)
        except (sqlite3.Error, SettingsError) as error:
            self._database.close()
            if isinstance(error, SettingsError):
                raise
            raise self._not_ours(error) from error

    def __enter__(self) -> Outbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """The number of messages that wait, without those kept aside."""
        with self.transaction("DEFERRED") as database:
            return _count(database)[0]

    def close(self) -> None:
        """Close the file; what is in it stays. May be called twice."""
        self._database.close()

    def put(self, envelopes: Sequence[Envelope]) -> None:
        """Store `envelopes`, all or none; on disk when this returns.

        A message id that is stored already keeps its first envelope.

        Raises:
            OutboxFull: they do not fit, or the disk is full; nothing was kept.
            Unavailable: the file could not be written; nothing was kept.
        """
        with self.transaction("IMMEDIATE") as database:
            database.executemany(
                "INSERT INTO outbox (message_id, body, headers, content_type, content_encoding)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (message_id) DO NOTHING",
                map(_row, envelopes),
            )
            waiting, aside = _count(database)
            if waiting + aside > self._limit:
                raise OutboxFull(
                    f"outbox {self._path}: it may hold {self._limit} messages and would hold"
                    f" {waiting + aside}, {aside} of them refused; nothing was kept. Bring the"
                    " broker or the API back, then run `python -m system.scraper drain`; look at"
                    " what was refused with `python -m system.scraper refused`"
                )

    def head(self, count: int) -> list[Envelope]:
        """The oldest `count` envelopes that wait, oldest first. They stay in the outbox.

        Raises:
            Unavailable: the file could not be read.
        """
        with self.transaction("DEFERRED") as database:
            found = database.execute(
                "SELECT message_id, body, headers, content_type, content_encoding"
                " FROM outbox WHERE refused IS NULL ORDER BY seq LIMIT ?",
                (count,),
            ).fetchall()
        return [_envelope(row) for row in found]

    def refuse(self, reasons: Mapping[str, str]) -> None:
        """Keep these aside: message id → why it was refused. They wait no longer.

        Raises:
            Unavailable: the file could not be written.
        """
        with self.transaction("IMMEDIATE") as database:
            database.executemany(
                "UPDATE outbox SET refused = ? WHERE message_id = ?",
                ((reason[:REASON_MAX], message_id) for message_id, reason in reasons.items()),
            )

    def refused(self) -> list[tuple[Envelope, str]]:
        """What is kept aside, and why, oldest first.

        Raises:
            Unavailable: the file could not be read.
        """
        with self.transaction("DEFERRED") as database:
            found = database.execute(
                "SELECT message_id, body, headers, content_type, content_encoding, refused"
                " FROM outbox WHERE refused IS NOT NULL ORDER BY seq"
            ).fetchall()
        return [(_envelope(row[:5]), row[5]) for row in found]

    def retry_refused(self) -> int:
        """Let everything that is kept aside wait again, in its old place; return how many.

        Raises:
            Unavailable: the file could not be written.
        """
        with self.transaction("IMMEDIATE") as database:
            return database.execute(
                "UPDATE outbox SET refused = NULL WHERE refused IS NOT NULL"
            ).rowcount

    def discard(self, message_ids: Sequence[str]) -> None:
        """Remove these; ids that are not stored are ignored.

        Raises:
            Unavailable: the file could not be written.
        """
        with self.transaction("IMMEDIATE") as database:
            database.executemany(
                "DELETE FROM outbox WHERE message_id = ?",
                ((message_id,) for message_id in message_ids),
            )

    def _prepare(self, create: bool) -> None:
        if not create and not self._database.execute("PRAGMA application_id").fetchone()[0]:
            raise self._missing("this file is no outbox")
        self._use_write_ahead_log()
        self._database.execute("PRAGMA synchronous = FULL")
        with self.transaction("IMMEDIATE") as database:
            (found,) = database.execute("PRAGMA application_id").fetchone()
            (tables,) = database.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if found == _FORMAT_BEFORE:
                database.execute(_UPGRADE)
            elif found != _FORMAT and (found or tables):
                raise SettingsError(
                    f"outbox {self._path}: this SQLite file belongs to something else; set"
                    " MISSING_TABLE_OUTBOX to a file of its own"
                )
            database.execute(_LAYOUT)
            database.execute(f"PRAGMA application_id = {_FORMAT}")

    def _use_write_ahead_log(self) -> None:
        """Two that open a new file at once both want to switch it; SQLite's timeout is no help.

        It reports a lock at once where waiting could be a deadlock, and this is such a case.
        """
        deadline = time.monotonic() + BUSY_S
        while True:
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() >= deadline:
                    raise
                time.sleep(LOOK_AGAIN_S)
            else:
                return

    @contextmanager
    def transaction(self, kind: str) -> Iterator[sqlite3.Connection]:
        """One transaction on the file, DEFERRED to read or IMMEDIATE to write.

        Raises:
            OutboxFull: the disk is full.
            Unavailable: the file failed.
        """
        with self._lock:
            try:
                self._database.execute(f"BEGIN {kind}")
                try:
                    yield self._database
                    self._database.execute("COMMIT")
                finally:
                    if self._database.in_transaction:
                        self._database.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise self._trouble(error) from error

    def _trouble(self, error: sqlite3.Error) -> OutboxFull | Unavailable:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return OutboxFull(f"outbox {self._path}: the disk is full; nothing was kept")
        return Unavailable(
            f"outbox {self._path}: {error}; look whether the disk is well and no other process"
            " holds the file"
        )

    def _missing(self, what: str) -> SettingsError:
        return SettingsError(
            f"outbox {self._path}: {what}. If a scraper has run, set MISSING_TABLE_OUTBOX to the"
            " file that it uses; the first run that sends something creates it"
        )

    def _not_ours(self, error: sqlite3.Error) -> SettingsError:
        return SettingsError(
            f"outbox {self._path}: cannot be opened ({error}); set MISSING_TABLE_OUTBOX to a file"
            " that can be written, in a folder that exists"
        )


def _count(database: sqlite3.Connection) -> tuple[int, int]:
    """The number of messages that wait, and of those kept aside."""
    total, aside = database.execute("SELECT count(*), count(refused) FROM outbox").fetchone()
    return total - aside, aside


def _row(envelope: Envelope) -> tuple[str, bytes, str, str, str]:
    return (
        envelope.message_id,
        envelope.body,
        json.dumps(dict(envelope.headers)),
        envelope.content_type,
        envelope.content_encoding,
    )


def _envelope(row: tuple[str, bytes, str, str, str]) -> Envelope:
    message_id, body, headers, content_type, content_encoding = row
    return Envelope(message_id, body, json.loads(headers), content_type, content_encoding)
