"""A season and a phase on another substrate, run as a user does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from lab.paths import PROJECT


def season_is_valid(folder: Path, substrate: str, within_s: float) -> None:
    """A small season goes through the system, and is valid there."""
    # How late messages are says how busy this machine is, and that is not asked here.
    small = ("--matches", "200", "--scrapes", "3", "--latency-ms", "600000")
    ends_well(folder, substrate, within_s, "run", *small)
    run = folder / ".runs" / "latest-season"
    verdict = json.loads((run / "verdict.json").read_text("utf-8"))
    assert verdict["substrate"] == substrate
    assert verdict["counts"]["accepted"] > 200


def ends_well(folder: Path, substrate: str, within_s: float, *words: str) -> None:
    """Run a command of the lab in `folder`; it has to end well."""
    done = subprocess.run(
        [sys.executable, "-m", "lab", *words, "--substrate", substrate],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
