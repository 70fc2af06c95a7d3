"""What a TLS connection trusts, from the settings. Verification cannot be switched off."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Protocol

from system.errors import SettingsError


class TlsFiles(Protocol):
    """The settings that matter here; see `system.settings`."""

    @property
    def ca_file(self) -> Path | None:
        """PEM file of the authorities to trust; None for those of this machine."""

    @property
    def cert_file(self) -> Path | None:
        """PEM file of the certificate to present if the other side asks for one."""

    @property
    def key_file(self) -> Path | None:
        """PEM file of its private key."""


def trust(files: TlsFiles) -> ssl.SSLContext:
    """Build the context of a client: the other side must present a certificate for its name.

    Raises:
        SettingsError: a file is missing or holds something else. Names the variable.
    """
    if (files.cert_file is None) != (files.key_file is None):
        raise SettingsError("MISSING_TABLE_CERT_FILE and MISSING_TABLE_KEY_FILE go together")
    try:
        context = ssl.create_default_context(cafile=files.ca_file)
    except OSError as error:  # SSLError is one
        raise SettingsError(f"MISSING_TABLE_CA_FILE, {files.ca_file}: {error}") from error
    if files.cert_file is not None:
        try:
            context.load_cert_chain(files.cert_file, files.key_file)
        except OSError as error:
            raise SettingsError(
                f"MISSING_TABLE_CERT_FILE, {files.cert_file}, and MISSING_TABLE_KEY_FILE,"
                f" {files.key_file}: {error}"
            ) from error
    return context
