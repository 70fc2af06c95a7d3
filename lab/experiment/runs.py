"""The folders that runs leave behind: `.runs/<time>-<name>/`.

`.runs/latest` leads to the newest, and `.runs/latest-<kind>` to the newest of its kind: `season`,
`load`, `phase3`, `chaos` …
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError
from lab.substrates.protocol import Substrate

RUNS = Path(".runs")
LATEST = "latest"
SERIES = "prometheus"
"""The folder of the recorded series, in the folder of a run."""


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
            for link in (LATEST, f"{LATEST}-{kind(name)}"):
                draft = runs / f".{link}-{os.getpid()}"
                draft.symlink_to(folder.name)
                draft.replace(runs / link)  # in one step, for two labs at once
            return folder
    raise LabError(f"no free folder for {name} in {runs}")


def kind(name: str) -> str:
    """What sort of run a name is of: `load` of `load-steady`. Pure."""
    return name.partition("-")[0]


def folders(runs: Path = RUNS) -> list[Path]:
    """The folders of all runs, the oldest first."""
    found = runs.glob("[0-9]*T[0-9]*-*") if runs.is_dir() else ()
    return sorted(each for each in found if each.is_dir() and not each.is_symlink())


def newest_with(file: str, runs: Path = RUNS) -> Path | None:
    """The folder of the newest run that has left `file`: not every kind of run has each of them."""
    return next((each for each in reversed(folders(runs)) if (each / file).exists()), None)


def with_series(run: Path | None) -> tuple[Path, Path]:
    """A run, and the folder of its series; the newest run that has any, if none is named.

    A folder of series may be named, too.
    """
    run = run or newest_with(SERIES) or RUNS / LATEST
    return run, run / SERIES if (run / SERIES).is_dir() else run


def keep_logs(substrate: Substrate, folder: Path) -> None:
    """Copy every log into `folder`; what cannot be copied is skipped."""
    for log in substrate.logs():
        with suppress(OSError), (folder / f"{log.name}.log").open("wb") as copy:
            for piece in log.read():
                copy.write(piece)
