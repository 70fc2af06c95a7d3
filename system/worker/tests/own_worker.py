"""A worker of a test's own, beside the lab's: with settings and a log of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

END_WITHIN_S = 60.0


@contextmanager
def running(log: Path, **settings: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker for the block.

    Args:
        log: where its words go.
        settings: by their names in lower case, without the prefix.
    """
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "system.worker"],
            env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1", **variables(settings)},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=END_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def variables(settings: Mapping[str, str | Path]) -> dict[str, str]:
    """Settings as they are in the environment."""
    return {f"MISSING_TABLE_{name.upper()}": str(value) for name, value in settings.items()}
