"""Secrets from files: MISSING_TABLE_<NAME>_FILE names the file that holds MISSING_TABLE_<NAME>.

Each use reads the file again, so a client that logs in anew has the newest secret, and a server
accepts it from its next request on. See `last_good` for what happens if the file is not readable.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from system.errors import SettingsError
from system.last_good import LastGood, read_bounded

BYTES_MAX = 16 * 1024


class SecretFile(SecretStr):
    """A secret whose value is what the file holds now, without white space around it.

    Args:
        setting: the variable that names the file.
        path: the file.
        lines: whether it may have several lines; see `lines_of`.

    Raises:
        SettingsError: the file cannot be read or holds no secret.
    """

    def __init__(self, setting: str, path: Path, *, lines: bool = False) -> None:
        self._file = LastGood(f"{setting}, {path}", lambda: _read(setting, path, lines=lines))
        super().__init__(self._file.get())

    def get_secret_value(self) -> str:
        """Read the file; the last good value, if it cannot be read."""
        return self._file.get()


def as_secret(value: str | SecretStr) -> SecretStr:
    """A plain value as a secret that never changes; a secret as it is."""
    return SecretStr(value) if isinstance(value, str) else value


def lines_of(secret: SecretStr) -> list[str]:
    """The lines of a secret, empty ones left out: all that are accepted, the first to be sent."""
    lines = (line.strip() for line in secret.get_secret_value().splitlines())
    return [line for line in lines if line]


def _read(setting: str, path: Path, *, lines: bool) -> str:
    try:
        text = read_bounded(setting, path, BYTES_MAX).decode("utf-8").strip()
    except UnicodeDecodeError:
        raise SettingsError(f"{setting}, {path}: is no text in UTF-8") from None
    if not text.replace("\n", "").replace("\r", "").isprintable():
        raise SettingsError(f"{setting}, {path}: has characters that no secret has")
    if not lines and len(text.splitlines()) > 1:
        raise SettingsError(f"{setting}, {path}: has more than one line")
    return text
