"""Throw-away authorities and certificates, made by the openssl command."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

_SERVER = "subjectAltName=IP:127.0.0.1,DNS:localhost"
_OTHER_NAME = "subjectAltName=DNS:somebody.else"


@dataclass(frozen=True)
class Certificate:
    """PEM files of a certificate and its private key."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority of a test's own, valid for two days."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self.root = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
        _openssl(
            *("req", "-x509", "-days", "2", *_NEW_KEY, "-subj", f"/CN={name}"),
            *("-keyout", self.root.key, "-out", self.root.cert),
        )

    def issue(self, name: str, *, for_another_name: bool = False) -> Certificate:
        """Sign a certificate for this machine, or for one that it is not."""
        made = Certificate(
            self._folder / f"{self._name}-{name}.pem", self._folder / f"{self._name}-{name}.key"
        )
        _openssl(
            *("req", "-x509", "-days", "2", *_NEW_KEY, "-subj", f"/CN={name}"),
            *("-CA", self.root.cert, "-CAkey", self.root.key),
            *("-addext", _OTHER_NAME if for_another_name else _SERVER),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-keyout", made.key, "-out", made.cert),
        )
        return made


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)
