"""Why a connection to the broker ended, as far as pika tells. Pure."""

from __future__ import annotations

from typing import Any

from pika.exceptions import (
    AMQPConnectionError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)


def is_refusal(reason: Exception | str) -> bool:
    """Whether the broker refused: wrong password (403), no such virtual host, no permission (530).

    pika reports a connection that is lost amid the handshake as such a refusal, too; only the text
    distinguishes them.
    """
    probable = (ProbableAuthenticationError, ProbableAccessDeniedError)
    return isinstance(reason, probable) and any(no in str(reason) for no in ("(403)", "(530)"))


def words_of(reason: Exception | str) -> str:
    """The cause that pika nests innermost: what went wrong in the last attempt."""
    inner: Any = reason
    while True:
        attempts = getattr(inner, "exceptions", None)
        held = attempts[-1] if attempts else getattr(inner, "exception", None)
        if held is None and isinstance(inner, AMQPConnectionError) and inner.args:
            held = inner.args[0]
        if not isinstance(held, BaseException):
            return str(inner) or type(inner).__name__
        inner = held
