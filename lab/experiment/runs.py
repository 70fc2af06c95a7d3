"""The folders that runs leave behind: `.runs/<time>-<name>/`, and `.runs/latest` to the newest."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError
from lab.substrates.protocol import Substrate

RUNS = Path(".runs")


def new_folder(name: str, runs: Path = RUNS) -> Path:
    """Make the folder of a new run, and let `latest` point to it.

    Raises:
        LabError: no name is free, as when a hundred runs of one name begin in one second.
    """
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for attempt in range(100):
        folder = runs / (f"{stamp}-{name}" + (f"-{attempt}" if attempt else ""))
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            (folder / "logs").mkdir()
            latest = runs / f".latest-{os.getpid()}"
            latest.symlink_to(folder.name)
            latest.replace(runs / "latest")  # in one step, for two labs at once
            return folder
    raise LabError(f"no free folder for {name} in {runs}")


def keep_logs(substrate: Substrate, folder: Path) -> None:
    """Copy every log into `folder`; what cannot be copied is skipped."""
    for log in substrate.logs():
        with suppress(OSError), (folder / f"{log.name}.log").open("wb") as copy:
            for piece in log.read():
                copy.write(piece)
