"""Past runs and their verdicts, as they lie in `.runs/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from lab.checker import verdict
from lab.checker.verdict import Verdict, VerdictError
from lab.experiment.runs import RUNS
from lab.report.conclude import PAGE_FILE

RUNS_SHOWN = 12
FOLDER = re.compile(r"([0-9]{8}T[0-9]{6})-([a-z0-9][a-z0-9-]*)")
"""How a run's folder is named: when it began, and what ran."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run.

    Attributes:
        folder: its name in `.runs/`.
        name: what ran.
        began: when.
        document: its verdict in the public format; None if there is none, or it cannot be read.
        has_report: whether there is a page to open.
    """

    folder: str
    name: str
    began: datetime
    document: Mapping[str, Any] | None
    has_report: bool

    @property
    def verdict(self) -> Verdict | None:
        """What was found; None if it was not judged yet."""
        return None if self.document is None else Verdict(self.document["verdict"])


def newest(runs: Path = RUNS, count: int = RUNS_SHOWN) -> list[Run]:
    """The newest runs, the newest first."""
    try:
        names = sorted(
            (each.name for each in runs.iterdir() if not each.is_symlink()), reverse=True
        )
    except OSError:
        return []
    chosen = [name for name in names if FOLDER.fullmatch(name)][:count]
    return [run for name in chosen if (run := find(name, runs)) is not None]


def find(folder: str, runs: Path = RUNS) -> Run | None:
    """The run in a folder of this name; None if there is none, or it is no such name."""
    named = FOLDER.fullmatch(folder)
    place = runs / folder
    if named is None or place.is_symlink() or not place.is_dir():
        return None
    began = datetime.strptime(named[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    has_report = (place / PAGE_FILE).is_file()
    return Run(folder, named[2], began, _document(place / verdict.FILE), has_report)


def _document(path: Path) -> Mapping[str, Any] | None:
    try:
        changed = path.stat().st_mtime_ns
    except OSError:
        return None
    return _read(path.absolute(), changed)


@lru_cache(maxsize=128)
def _read(path: Path, _changed: int) -> Mapping[str, Any] | None:
    """A verdict; it is read again only once its file has changed."""
    try:
        return verdict.read(path)
    except VerdictError:
        return None
