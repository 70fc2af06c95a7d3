"""A folder in which `chaos run` is typed, beside a lab that is up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.running import LAB_NAME, LAB_SUBSTRATE
from lab.paths import PROJECT
from lab.substrates.provider import Keeps
from lab.tests.beside import beside

WITHIN_S = 400.0


@dataclass(frozen=True)
class Place:
    """A folder in which `chaos run` is typed, beside a lab that is up."""

    folder: Path
    provider: Keeps
    lab: str
    substrate: str

    @contextmanager
    def started(self, path: Path) -> Iterator[subprocess.Popen[str]]:
        """Run an experiment beside the block."""
        words = ("-m", "chaostoolkit", "--no-version-check", "run", str(path))
        known = {
            "PYTHONPATH": str(PROJECT),
            LAB_NAME: self.lab,
            LAB_SUBSTRATE: self.substrate,
        }
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with beside(words, self.folder, known, **pipes) as process:
            yield process

    def run(self, path: Path) -> tuple[int, dict[str, Any], str]:
        """Run an experiment to its end; gives its exit code, its journal, and what it said."""
        journal = self.folder / "journal.json"
        journal.unlink(missing_ok=True)
        with self.started(path) as process:
            said, _ = process.communicate(timeout=WITHIN_S)
        return process.returncode, json.loads(journal.read_text("utf-8")), said

    def is_whole(self) -> bool:
        """Whether everything is up and nothing is struck."""
        status = self.provider.status(self.lab)
        return status.verdict == "up" and not status.breaches
