"""The figures of a measurement as they are kept: `.runs/capacity/<time>/capacity.json`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.errors import CannotRun
from lab.experiment.runs import RUNS
from load.bench import kept as machine
from load.capacity.measure import Measured, Point

FOLDER, FILE = RUNS / "capacity", "capacity.json"


def write(measured: Measured, folder: Path) -> Path:
    """Write the figures, and what machine they are of; return the file."""
    document = {"machine": machine.machine(), **asdict(measured)}
    (folder / FILE).write_text(json.dumps(document, indent=1), "utf-8")
    return folder / FILE


def read(path: Path) -> Measured:
    """The figures of a file.

    Raises:
        CannotRun: it cannot be read, or is something else.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        del found["machine"]
        points = [Point(**each) for each in found.pop("points")]
        unseen, longer = Point(**found.pop("unseen")), Point(**found.pop("longer"))
        return Measured(points=points, unseen=unseen, longer=longer, **found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CannotRun(f"{path} has no figures of a capacity: {error}") from error


def latest(folder: Path = FOLDER) -> Path | None:
    """The newest figures; None if there are none."""
    return max(folder.glob(f"*/{FILE}"), default=None)
