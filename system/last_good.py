"""Files that are read again while the process runs, and the last good value if one cannot be.

Docker and Kubernetes put secrets and certificates into files, and replace them there when they
change. So they are read where they are used, not once at the start. An operator's slip (an empty
file, wrong rights, a key without its certificate) must not stop what runs: it keeps what it has,
and says so once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from system.errors import SettingsError

log = structlog.get_logger("settings")

T = TypeVar("T")


class LastGood(Generic[T]):
    """The newest good value of something that is read again at each use.

    Args:
        what: names it in the log: the setting and the file.
        read: reads it; called once here, and at each `get`.

    Raises:
        SettingsError: the first reading fails. Later failures are logged, once each.
    """

    def __init__(self, what: str, read: Callable[[], T]) -> None:
        self._what = what
        self._read = read
        self._value = read()
        self._trouble = ""

    def get(self) -> T:
        """The value that is in the file now; the last good one, if that is none."""
        try:
            value = self._read()
        except SettingsError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("keeping the last good value", of=self._what, error=self._trouble)
            return self._value
        self._trouble = ""
        if value != self._value:
            self._value = value
            log.info("took over a new value", of=self._what)
        return self._value


def read_bounded(setting: str, path: Path, bytes_max: int) -> bytes:
    """The content of a file that a setting names.

    Raises:
        SettingsError: it cannot be read, is no regular file, empty, or too large. Names the setting
            and the file, and nothing of the content.
    """
    try:
        # Not blocking: to open a pipe that nobody writes to would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SettingsError(f"{setting}, {path}: is no regular file")
            content = file.read(bytes_max + 1)
    except OSError as error:
        raise SettingsError(f"{setting}, {path}: cannot be read ({error.strerror})") from None
    if len(content) > bytes_max:
        raise SettingsError(f"{setting}, {path}: has more than {bytes_max} bytes")
    if not content.strip():
        raise SettingsError(f"{setting}, {path}: is empty")
    return content
