"""Runs Locust as its users do, against a lab that is known by its addresses only."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.experiment.lab import Lab
from lab.history import log
from lab.paths import PROJECT
from lab.tests.beside import beside
from load.inside import settings

WITHIN_S = 240.0
GENEROUS = "baseline: {success_ratio_min: 0, confirm_p99_ms: 1.0e6, commit_p99_ms: 1.0e6}\n"
"""Budgets that any machine keeps."""


@dataclass(frozen=True)
class Locust:
    """Locust in a folder of its own.

    Attributes:
        folder: where its runs are.
        lab: what it sends to.
    """

    folder: Path
    lab: Lab

    @contextmanager
    def started(self, *words: str, budgets: str = GENEROUS) -> Iterator[subprocess.Popen[str]]:
        """Run it beside the block; nothing of it is left afterwards."""
        (self.folder / "budgets.yaml").write_text(budgets)
        locustfile = str(PROJECT / "load" / "locustfile.py")
        typed = [
            *("-m", "locust", "-f", locustfile, "--only-summary"),
            *("--load", "baseline", "--budgets", "budgets.yaml"),
            *("--host", self.lab.endpoints.api_url, *words),
        ]
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        with beside(typed, self.folder, settings(self.lab.endpoints), **pipes) as process:
            yield process

    def run(self, *words: str, budgets: str = GENEROUS) -> tuple[int, str]:
        """Run it to its end without its web page; return the exit code, and what it said."""
        with self.started("--headless", *words, budgets=budgets) as process:
            _, said = process.communicate(timeout=WITHIN_S)
        return process.returncode, said

    def records(self) -> set[Path]:
        """The folders of all runs."""
        return set((self.folder / ".runs").glob("*-load-*"))

    def left(self, name: str) -> Any:
        """A document of the newest run."""
        return json.loads((self.record / name).read_text("utf-8"))

    def accepted(self) -> int:
        """How many messages of the newest run have been accepted so far."""
        history = self.record / log.FILE
        return history.read_bytes().count(b'"event":"accepted"') if history.exists() else 0

    @property
    def record(self) -> Path:
        """The folder of the newest run."""
        return self.folder / ".runs" / "latest"
