"""What a TLS connection trusts, from the settings. Verification cannot be switched off."""

from __future__ import annotations

import ssl
from pathlib import Path

from system.errors import SettingsError


def trust(
    ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """Build the context of a client: the other side must show a certificate for its name.

    Args:
        ca_file: PEM file of the authorities to trust; without it, those of this machine.
        cert_file: PEM file of the certificate to show, where the other side asks for one.
        key_file: PEM file of its private key.

    Raises:
        SettingsError: a file is missing or holds something else. Names the variable.
    """
    if (cert_file is None) != (key_file is None):
        raise SettingsError("MISSING_TABLE_CERT_FILE and MISSING_TABLE_KEY_FILE go together")
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(f"MISSING_TABLE_CA_FILE, {ca_file}: {error}") from error
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file)
        except (OSError, ssl.SSLError) as error:
            raise SettingsError(
                f"MISSING_TABLE_CERT_FILE, {cert_file}, and MISSING_TABLE_KEY_FILE, {key_file}:"
                f" {error}"
            ) from error
    return context
