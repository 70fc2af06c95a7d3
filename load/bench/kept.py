"""What a measurement leaves behind: `.runs/bench/<time>/`, and the machine that it is about."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab.experiment.runs import RUNS

FOLDER = RUNS / "bench"


def new_folder(parent: Path = FOLDER) -> Path:
    """A folder of its own in `parent`, with the time in its name."""
    folder = parent / datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    folder.mkdir(parents=True)
    return folder


def machine() -> dict[str, Any]:
    """What the figures depend on, and how busy it was."""
    return {
        "cpus": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "rabbitmq": _says("dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"),
        "postgresql": _says("dpkg-query", "-W", "-f", "${Version}", "postgresql"),
        "load_before": [round(each, 2) for each in os.getloadavg()],
    }


def _says(*command: str) -> str | None:
    """What a command prints; None if there is none."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    return done.stdout.strip() or None
