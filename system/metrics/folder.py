"""A folder of metrics, read and kept small by the one process that owns it.

    owner                   locked by the owner
    folded-<n>/             what dead processes have counted, in files of the same kind
    folded-<n>/processes    the names of those processes

The files of dead processes are folded into one set, so that the number of files is bounded; live
gauges (`tasks_in_flight`) end with their process. A fold becomes valid by one rename, together with
the list of what it holds. If the owner is killed before the rename, nothing was folded; if it is
killed after it, the next owner finds files that are on the list and removes them. So nothing is
counted twice or lost, wherever the owner dies. Metrics whose names or meanings changed with a
version stay in the folder until it is removed.
"""

from __future__ import annotations

import os
import shutil
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from system.errors import SettingsError
from system.metrics.files import LOCK_SUFFIX, OWN_PROCESSES, create_folder, folder_error, lock

OWNED_WITHIN_S = 2.0
_OWNER, _FOLDED, _PROCESSES, _DB = "owner", "folded-", "processes", ".db"
_EMPTY_BYTES = 8  # a file that is being created, or whose process died meanwhile

READ_ERRORS = (OSError, ValueError, RuntimeError, struct.error)
"""What reading a damaged file raises."""


class MetricsFolder(Collector):
    """What all processes of a folder have counted; see the module's text. Use `open_folder`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterable[Metric]:
        """Every metric, summed over living and dead processes.

        Raises:
            OSError, ValueError, RuntimeError, struct.error: a file cannot be read.
        """
        self.fold()
        folded = self._newest()
        files = [*self._path.glob(f"*{_DB}"), *(folded.glob(f"*{_DB}") if folded else ())]
        return MultiProcessCollector.merge(  # type: ignore[no-untyped-call,no-any-return]
            [str(file) for file in files if file.stat().st_size >= _EMPTY_BYTES]
        )

    def fold(self) -> None:
        """Merge the files of dead processes."""
        before = self._newest()
        self._tidy(before)
        dead = self._dead()
        files = [file for name in dead for file in self._path.glob(f"*_{name}{_DB}")]
        if files:
            self._write(before, dead, files)
            self._tidy(self._newest())
        for name in dead:
            (self._path / f"{name}{LOCK_SUFFIX}").unlink(missing_ok=True)

    def _newest(self) -> Path | None:
        found = [fold for fold in self._path.glob(f"{_FOLDED}*") if _number(fold) is not None]
        return max(found, key=lambda fold: _number(fold) or 0, default=None)

    def _tidy(self, folded: Path | None) -> None:
        """Finish the fold that wrote `folded`: remove the files that are in it, and older folds."""
        if folded is not None:
            for name in (folded / _PROCESSES).read_text().split():
                for file in self._path.glob(f"*_{name}{_DB}"):
                    file.unlink()
        for other in self._path.glob(f"{_FOLDED}*"):
            if other != folded:
                shutil.rmtree(other)

    def _dead(self) -> list[str]:
        """The processes whose lock is free, and those whose lock file is gone already."""
        names = {_process(file) for file in self._path.glob(f"*{_DB}")}
        names |= {
            file.name.removesuffix(LOCK_SUFFIX) for file in self._path.glob(f"*{LOCK_SUFFIX}")
        }
        return sorted(name for name in names if not self._lives(name))

    def _lives(self, name: str) -> bool:
        if name in OWN_PROCESSES:
            return True
        file = self._path / f"{name}{LOCK_SUFFIX}"
        if not file.exists():
            return False
        held = lock(file)
        if held is None:
            return True
        os.close(held)
        return False

    def _write(self, before: Path | None, dead: list[str], files: list[Path]) -> None:
        number = 1 + ((_number(before) or 0) if before else 0)
        new_fold = self._path / f"{_FOLDED}{number}.new"
        new_fold.mkdir(mode=0o700)
        for kind, values in _sums([*(before.glob(f"*{_DB}") if before else ()), *files]).items():
            into = MmapedDict(str(new_fold / f"{kind}_folded{_DB}"))  # type: ignore[no-untyped-call]
            for key, (value, at) in values.items():
                into.write_value(key, value, at)  # type: ignore[no-untyped-call]
            into.close()  # type: ignore[no-untyped-call]
        (new_fold / _PROCESSES).write_text("\n".join(dead))
        new_fold.rename(self._path / f"{_FOLDED}{number}")  # from here on the fold is valid


@contextmanager
def open_folder(path: Path) -> Iterator[MetricsFolder]:
    """The folder, created if it is missing, owned by this process for the block.

    Raises:
        SettingsError: it cannot be used, or another process owns it.
    """
    try:
        create_folder(path)
        deadline = time.monotonic() + OWNED_WITHIN_S
        while (
            held := lock(path / _OWNER)
        ) is None:  # an owner that is just ending releases it soon
            if time.monotonic() >= deadline:
                raise SettingsError(
                    f"metrics folder {path}: another process uses it; every worker, and the"
                    " scraper's exporter, needs a MISSING_TABLE_METRICS_FOLDER of its own"
                )
            time.sleep(0.05)
    except OSError as error:
        raise folder_error(path, error) from error
    try:
        folder = MetricsFolder(path)
        try:
            folder.fold()
        except READ_ERRORS as error:
            raise folder_error(path, error) from error
        yield folder
    finally:
        os.close(held)


def tidy_folder(path: Path) -> None:
    """Fold what dead processes left, unless another process owns the folder: then that one does it.

    Raises:
        SettingsError: the folder cannot be used.
    """
    try:
        create_folder(path)
        held = lock(path / _OWNER)
        if held is None:
            return
        try:
            MetricsFolder(path).fold()
        finally:
            os.close(held)
    except READ_ERRORS as error:
        raise folder_error(path, error) from error


def _sums(files: Iterable[Path]) -> dict[str, dict[str, tuple[float, float]]]:
    """By kind of file, then by series: value and time. Live gauges are left out.

    Raises:
        ValueError: a gauge of a kind that cannot be folded.
    """
    sums: dict[str, dict[str, tuple[float, float]]] = {}
    for file in files:
        kind = file.name.rpartition("_")[0]  # such as counter, or gauge_max
        if kind.startswith("gauge_live") or file.stat().st_size < _EMPTY_BYTES:
            continue
        into = sums.setdefault(kind, {})
        found = MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]
        for key, value, at, _ in found:
            into[key] = _combine(kind, into[key], (value, at)) if key in into else (value, at)
    return sums


def _combine(
    kind: str, one: tuple[float, float], other: tuple[float, float]
) -> tuple[float, float]:
    if kind in ("counter", "histogram"):
        return one[0] + other[0], 0.0
    if kind == "gauge_max":
        return max(one, other)
    if kind == "gauge_mostrecent":
        return max(one, other, key=lambda each: each[1])
    raise ValueError(f"a {kind} cannot be folded")


def _process(file: Path) -> str:
    return file.name.removesuffix(_DB).rpartition("_")[2]


def _number(folded: Path) -> int | None:
    """The number of a fold; None if it was never finished."""
    digits = folded.name.removeprefix(_FOLDED)
    return int(digits) if digits.isdigit() else None
