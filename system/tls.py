"""What a TLS connection trusts and shows, from files that may be replaced while it is in use.

Verification cannot be switched off.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from system.errors import SettingsError
from system.last_good import LastGood, read_bounded

BYTES_MAX = 1024 * 1024
_CA, _CERT, _KEY = "MISSING_TABLE_CA_FILE", "MISSING_TABLE_CERT_FILE", "MISSING_TABLE_KEY_FILE"


class TlsFiles(Protocol):
    """The settings that matter here; see `system.settings`."""

    @property
    def ca_file(self) -> Path | None:
        """PEM file of the authorities to trust; None for those of this machine."""

    @property
    def cert_file(self) -> Path | None:
        """PEM file of the certificate to present."""

    @property
    def key_file(self) -> Path | None:
        """PEM file of its private key."""


Trust = Callable[[], ssl.SSLContext]
"""Gives the context for the next connection: another one once a file has changed."""


def trust(files: TlsFiles) -> Trust:
    """What a client trusts: the other side must present a certificate for its name.

    Raises:
        SettingsError: a file is missing or holds something else. Names the variable.
    """
    return _Watched(files, _client).get


def server(files: TlsFiles) -> ssl.SSLContext | None:
    """What a server shows: the newest certificate at each handshake; None if it has none.

    Raises:
        SettingsError: as `trust` does.
    """
    if files.cert_file is None and files.key_file is None:
        return None
    newest = _Watched(files, _server)

    def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = newest.get()

    context = _server(files)
    context.sni_callback = choose  # called at each handshake, also if the client names no host
    return context


class _Watched:
    """A context that is built anew whenever one of its files has changed."""

    def __init__(self, files: TlsFiles, build: Callable[[TlsFiles], ssl.SSLContext]) -> None:
        self._files = files
        self._build = build
        self._built: tuple[object, ssl.SSLContext] | None = None
        named = [str(path) for path in _paths(files).values() if path is not None]
        self._context = LastGood(", ".join(named) or "authorities of this machine", self._read)

    def get(self) -> ssl.SSLContext:
        """The context of the files as they are now, or as they last could be used."""
        return self._context.get()

    def _read(self) -> ssl.SSLContext:
        # Its times and its inode tell that a file changed: not all of it is read at each use.
        now = [_signature(name, path) for name, path in _paths(self._files).items() if path]
        if self._built is None or self._built[0] != now:
            self._built = (now, self._build(self._files))
        return self._built[1]


def _paths(files: TlsFiles) -> dict[str, Path | None]:
    return {_CA: files.ca_file, _CERT: files.cert_file, _KEY: files.key_file}


def _signature(setting: str, path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError as error:
        raise SettingsError(f"{setting}, {path}: cannot be read ({error.strerror})") from None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _client(files: TlsFiles) -> ssl.SSLContext:
    if files.ca_file is not None:
        read_bounded(_CA, files.ca_file, BYTES_MAX)
    try:
        context = ssl.create_default_context(cafile=files.ca_file)
    except OSError as error:  # SSLError is one
        raise SettingsError(f"{_CA}, {files.ca_file}: {error}") from error
    _load(context, files)
    return context


def _server(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, files)
    return context


def _load(context: ssl.SSLContext, files: TlsFiles) -> None:
    cert, key = files.cert_file, files.key_file
    if cert is None and key is None:
        return
    if cert is None or key is None:
        raise SettingsError(f"{_CERT} and {_KEY} go together")
    read_bounded(_CERT, cert, BYTES_MAX)
    read_bounded(_KEY, key, BYTES_MAX)
    try:
        # An encrypted key would be asked for on a terminal, and nobody would answer.
        context.load_cert_chain(cert, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{_CERT}, {cert}, and {_KEY}, {key}: {error}") from error
