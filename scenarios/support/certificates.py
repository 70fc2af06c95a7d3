"""Throw-away authorities and the certificates that they sign, by the openssl command."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


@dataclass(frozen=True, slots=True)
class Identity:
    """PEM texts.

    Attributes:
        authority: the certificate of who vouches.
        cert: that of a server on this machine.
        key: its private key.
    """

    authority: bytes
    cert: bytes
    key: bytes


def issue(name: str) -> Identity:
    """Make an authority of this name, and let it sign a certificate for this machine."""
    with tempfile.TemporaryDirectory() as folder:
        root, root_key, cert, key = (Path(folder) / each for each in ("ca", "ca.key", "c", "c.key"))
        _openssl("-subj", f"/CN={name}", "-keyout", root_key, "-out", root)
        _openssl(
            *("-subj", f"/CN=server of {name}", "-CA", root, "-CAkey", root_key),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-keyout", key, "-out", cert),
        )
        return Identity(root.read_bytes(), cert.read_bytes(), key.read_bytes())


def _openssl(*words: str | Path) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", *_NEW_KEY, *map(str, words)],
        check=True,
        capture_output=True,
        timeout=120,
    )
