"""A file of discarded dead letters: JSON lines, each on disk before the next thing happens."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from system.errors import PipelineError
from system.worker.dead_letters.letter import DeadLetter


class LetterFileError(PipelineError):
    """The file cannot be opened or written."""


class LetterFile:
    """Appends to one file that only its owner can read. Use as a context manager.

    Raises:
        LetterFileError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
            end = os.lseek(self._fd, 0, os.SEEK_END)
            # A writer that was killed may have left half a line; the next one must not join it.
            if end and os.pread(self._fd, 1, end - 1) != b"\n":
                os.write(self._fd, b"\n")
            folder = os.open(path.absolute().parent, os.O_RDONLY)
            try:
                os.fsync(folder)  # the file's name has to survive, too
            finally:
                os.close(folder)
        except OSError as error:
            raise LetterFileError(f"cannot write {path}: {error}") from error

    def __enter__(self) -> LetterFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def append(self, letter: DeadLetter) -> None:
        """Write one; return once it is on disk.

        Raises:
            LetterFileError: it could not be written.
        """
        line = json.dumps(as_json(letter), ensure_ascii=False).encode() + b"\n"
        try:
            while line:  # a write may be short, on a disk that is almost full
                line = line[os.write(self._fd, line) :]
            os.fsync(self._fd)
        except OSError as error:
            raise LetterFileError(f"cannot write {self.path}: {error}") from error


def as_json(letter: DeadLetter) -> dict[str, Any]:
    """Everything of a dead letter; the body as text, or as base64 if it is no UTF-8."""
    try:
        body = {"body": letter.body.decode()}
    except UnicodeDecodeError:
        body = {"body_base64": base64.b64encode(letter.body).decode()}
    return {
        **summary(letter),
        "published_at": letter.published_at,
        "content_type": letter.content_type,
        "content_encoding": letter.content_encoding,
        "headers": json.loads(json.dumps(dict(letter.headers), default=str)),
        **body,
    }


def summary(letter: DeadLetter) -> dict[str, Any]:
    """What `list` shows of a dead letter."""
    return {
        "message_id": letter.message_id,
        "task": letter.task,
        "reason": letter.reason,
        "detail": letter.detail,
        "queue": letter.queue,
        "died_at": letter.died_at.isoformat() if letter.died_at else None,
        "attempts": letter.attempts,
        "replays": letter.replays,
    }
