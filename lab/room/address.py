"""Where a room is: an address of this machine alone, with a secret in it."""

from __future__ import annotations

import secrets
import socket

HOST = "127.0.0.1"
TOKEN_BYTES = 24
BACKLOG = 64
LAST_LOOK_S = 10.0
"""How long a page may take to open the report when a run has ended."""


def listening(port: int = 0) -> socket.socket:
    """A socket that only this machine reaches; 0 is any free port."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((HOST, port))
        made.listen(BACKLOG)
    except OSError:
        made.close()
        raise
    return made


def new_token() -> str:
    """A secret that nobody guesses."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def address(on: socket.socket, token: str) -> str:
    """What a person opens."""
    return f"http://{HOST}:{on.getsockname()[1]}/{token}/"
