"""Runs one of the project's commands to its end and keeps what it said."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from lab.substrates.abilities import Finished
from lab.substrates.local.forkserver import ForkServer
from lab.substrates.local.processes import Handle


def run_to_end(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    within_s: float,
    forks: ForkServer | None = None,
) -> Finished:
    """Run a command that reads nothing; it is killed if it lasts too long.

    Args:
        forks: starts it if it can.

    Raises:
        subprocess.TimeoutExpired: it still ran after `within_s`.
    """
    with TemporaryFile() as out, TemporaryFile() as err:
        process: Handle
        if forks is not None and forks.takes(argv, env):
            process = forks.popen(argv, env=env, cwd=cwd, out=out, err=err)
        else:
            process = subprocess.Popen(
                argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err
            )
        try:
            code = process.wait(within_s)
        finally:
            process.send_signal(signal.SIGKILL)  # does nothing if it has ended
            process.wait()
        return Finished(code, _text(out), _text(err))


def _text(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode("utf-8", "replace")
