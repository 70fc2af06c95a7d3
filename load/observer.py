"""The lab's observer as a child process: it keeps the record, and judges.

this ── orders ──> lab observe ── folder and series, then the verdict ──> this
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from lab.checker.verdict import Verdict
from lab.errors import LabError

BEGIN_WITHIN_S = 300.0
"""Workers may have to end or to start before a load begins."""
END_WITHIN_S = 3600.0
"""Settling and the audit have bounds of their own, by how much waits; beyond this it has hung."""


class Observer:
    """An observer that runs, until `finish`.

    Attributes:
        folder: of the run.
        series: the seed of the load.
    """

    def __init__(self, profile: str, seconds: float, target: Sequence[str]) -> None:
        """Start it, and wait until it watches.

        Args:
            target: options of `lab observe` that say which system.

        Raises:
            LabError: it ended instead; its complaint is on the standard error already.
        """
        words = ["--profile", profile, "--seconds", str(seconds), *target]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "lab", "observe", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C ends the load; the verdict on it is still wanted
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._orders: IO[bytes] = self._process.stdin
        self._says: IO[bytes] = self._process.stdout
        about = self._read(BEGIN_WITHIN_S)
        if "folder" not in about:
            code = self._process.wait(timeout=30)
            raise LabError(f"the lab cannot observe this load (exit code {code}; see above)")
        self.folder, self.series = Path(about["folder"]), str(about["series"])

    def begin(self, at: float, shares: int) -> None:
        """The load begins at `at`, in seconds since the epoch, and has so many shares."""
        self._order(do="begin", at=at, shares=shares)

    def published(self) -> None:
        """Everything is published."""
        self._order(do="published")

    def finish(self, *, stopped: bool) -> tuple[Verdict, str]:
        """Let it settle and judge; return the verdict and why. One that dies has found nothing."""
        self._order(do="finish", stopped=stopped)
        with suppress(OSError):
            self._orders.close()
        said = self._read(END_WITHIN_S)
        code = self._process.wait(timeout=END_WITHIN_S)
        if "verdict" not in said:
            return Verdict.UNKNOWN, f"the observer ended with {code}, without a verdict"
        return Verdict(said["verdict"]), str(said["why"])

    def _order(self, **order: Any) -> None:
        with suppress(OSError):  # it has died, as its end will show
            self._orders.write(json.dumps(order).encode() + b"\n")
            self._orders.flush()

    def _read(self, within_s: float) -> dict[str, Any]:
        """What it says next; nothing if it ends, or is ended because it says nothing in time."""
        bound = threading.Timer(within_s, self._process.kill)
        bound.daemon = True
        bound.start()
        try:
            line = self._says.readline()
        finally:
            bound.cancel()
        said: dict[str, Any] = json.loads(line) if line else {}
        return said
