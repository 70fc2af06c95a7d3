"""A program that runs beside a test, and does not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def beside(
    arguments: Sequence[str], folder: Path, settings: Mapping[str, str], **pipes: Any
) -> Iterator[subprocess.Popen[str]]:
    """Run a program of this Python for the block; nothing that it started is left afterwards.

    Args:
        arguments: of Python.
        folder: where it is typed.
        settings: variables beside those of this process.
        pipes: `stdout` and `stderr`, as `subprocess.Popen` takes them.
    """
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, **settings},
        text=True,
        start_new_session=True,
        **pipes,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
