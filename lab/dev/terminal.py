"""A terminal in a folder of its own: the lab's commands, typed as a person types them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.paths import PROJECT

COMMAND_WITHIN_S = 400.0


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    complaints: str


@dataclass(frozen=True)
class Terminal:
    """Types commands in `folder`, where the labs then are.

    Attributes:
        env: environment variables beside those of this process.
    """

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def lab(self, *words: str, within_s: float = COMMAND_WITHIN_S) -> Said:
        """Type `lab …`, and wait for the answer.

        Raises:
            subprocess.TimeoutExpired: it did not end in time, and was killed.
        """
        return self.type(sys.executable, "-m", "lab", *words, within_s=within_s)

    def type(self, *words: str, within_s: float = COMMAND_WITHIN_S) -> Said:
        """Type any command, and wait for the answer."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(PROJECT), "COLUMNS": "200", **self.env},
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)
