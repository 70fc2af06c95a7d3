"""Kubernetes, by its own command line, and only on a context that the user has named.

The current context is whatever was used last, perhaps production; a lab creates and deletes. So
each call says `--context`, and without a name there is none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from lab.errors import CannotRun, SubstrateError
from lab.substrates.containers import tool
from lab.substrates.provider import CONTEXT

WITHIN_S = 120.0
LOOK_S = 30.0


def context(environment: Mapping[str, str] = os.environ) -> str:
    """The context that the user has named.

    Raises:
        CannotRun: none was named.
    """
    named = environment.get(CONTEXT, "")
    if not named:
        raise CannotRun(
            "the lab acts on no cluster that was not named, also not on the current context: "
            f"name one of `kubectl config get-contexts` by --context NAME, or in {CONTEXT}"
        )
    return named


def command(*arguments: str) -> list[str]:
    """A whole command line.

    Raises:
        CannotRun: no context was named.
    """
    return ["kubectl", f"--context={context()}", *arguments]


def kubectl(*arguments: str, stdin: bytes = b"", within_s: float = WITHIN_S) -> str:
    """Run one command; return what it printed.

    Args:
        stdin: what it reads; secrets go this way, never on a command line.

    Raises:
        SubstrateError: it failed, or took too long; says what it printed.
    """
    return kubectl_bytes(*arguments, stdin=stdin, within_s=within_s).decode("utf-8", "replace")


def kubectl_bytes(*arguments: str, stdin: bytes = b"", within_s: float = WITHIN_S) -> bytes:
    """As `kubectl`, for what is no text."""
    what = f"kubectl {' '.join(arguments[:4])}"
    return tool.run(command(*arguments), what, within_s=within_s, stdin=stdin)


def ask(*arguments: str, within_s: float = LOOK_S) -> Any:
    """What `kubectl get …` says, as JSON.

    Raises:
        SubstrateError: the cluster did not answer.
    """
    return json.loads(kubectl("get", *arguments, "--output=json", within_s=within_s))


def need() -> str:
    """The version of the cluster.

    Raises:
        CannotRun: no context was named, there is none of that name, or no cluster answers there.
    """
    try:
        found = json.loads(kubectl("version", "--output=json", within_s=LOOK_S))
        return str(found["serverVersion"]["gitVersion"])
    except (SubstrateError, ValueError, KeyError) as error:
        raise CannotRun(
            f"no cluster answers by the context {context()!r} ({error}); look at `kubectl config "
            "get-contexts`, or run the lab on processes: --substrate local"
        ) from error


def stream(*arguments: str) -> Iterator[bytes]:
    """What a command prints, in pieces; nothing if it fails."""
    return tool.stream(command(*arguments))
