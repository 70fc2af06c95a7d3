"""Runs the command lines of others: `docker`, `kubectl`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence

from lab.errors import SubstrateError

_PIECE_BYTES = 1024 * 1024


def run(
    command: Sequence[str],
    what: str,
    *,
    within_s: float,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
) -> bytes:
    """Run a command to its end; return what it printed.

    Args:
        what: the command, as errors name it.
        stdin: what it reads.
        env: more variables of its environment.

    Raises:
        SubstrateError: it is not there, failed, or took too long; says what it printed.
    """
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(env or {})},
            input=stdin,
            capture_output=True,
            timeout=within_s,
            check=False,
        )
    except FileNotFoundError:
        raise SubstrateError(f"there is no program `{command[0]}` on this machine") from None
    except subprocess.TimeoutExpired:
        raise SubstrateError(f"{what} took over {within_s:g} s") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise SubstrateError(f"{what}: {said or f'ended with status {done.returncode}'}")
    return done.stdout


def stream(command: Sequence[str], *, errors: bool = False) -> Iterator[bytes]:
    """What a command prints, in pieces; nothing if it fails.

    Args:
        errors: whether what it prints as errors belongs to it.
    """
    stderr = subprocess.STDOUT if errors else subprocess.DEVNULL
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr) as reading:
        assert reading.stdout is not None  # noqa: S101 - it is a pipe
        try:
            while piece := reading.stdout.read(_PIECE_BYTES):
                yield piece
        finally:
            reading.kill()  # does nothing if it has ended
