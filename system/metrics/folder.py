"""A folder of metrics, read and kept small by the one process that owns it.

    owner                   locked by the owner
    folded-<n>/             what the dead have counted, in files of the same kind as theirs
    folded-<n>/processes    whose files are in there

The files of processes that have died are folded into one set, so that their number is bounded;
their live gauges (`tasks_in_flight`) go with them. A fold becomes valid by one rename, together
with the list of what it holds: where the owner is killed before it, nothing was folded; where it is
killed after, the next owner finds files that are on the list and removes them. So nothing is
counted twice or lost at any line. Metrics whose names or meanings changed with a version stay in
the folder until it is removed.
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
from system.metrics.files import LOCK_SUFFIX, OWN, lock, make, unusable

OWNED_WITHIN_S = 2.0
_OWNER, _FOLDED, _PROCESSES, _DB = "owner", "folded-", "processes", ".db"
_EMPTY_BYTES = 8  # a file that is being made, or whose process died over it

Unreadable = (OSError, ValueError, RuntimeError, struct.error)
"""What reading a file that is no good raises."""


class Folder(Collector):
    """What all processes of a folder have counted; see the module's text. Made by `owned`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterable[Metric]:
        """Every metric, summed over the living and the dead.

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
        """Bring the files of dead processes together."""
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
        found = [each for each in self._path.glob(f"{_FOLDED}*") if _number(each) is not None]
        return max(found, key=lambda each: _number(each) or 0, default=None)

    def _tidy(self, folded: Path | None) -> None:
        """Finish the fold that made `folded`: what is in it, or older, is not needed any more."""
        if folded is not None:
            for name in (folded / _PROCESSES).read_text().split():
                for file in self._path.glob(f"*_{name}{_DB}"):
                    file.unlink()
        for other in self._path.glob(f"{_FOLDED}*"):
            if other != folded:
                shutil.rmtree(other)

    def _dead(self) -> list[str]:
        """The processes whose lock nobody holds, and those whose lock is gone already."""
        names = {_process(file) for file in self._path.glob(f"*{_DB}")}
        names |= {
            file.name.removesuffix(LOCK_SUFFIX) for file in self._path.glob(f"*{LOCK_SUFFIX}")
        }
        return sorted(name for name in names if not self._lives(name))

    def _lives(self, name: str) -> bool:
        if name in OWN:
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
        made = self._path / f"{_FOLDED}{number}.new"
        made.mkdir(mode=0o700)
        for kind, values in _sums([*(before.glob(f"*{_DB}") if before else ()), *files]).items():
            into = MmapedDict(str(made / f"{kind}_folded{_DB}"))  # type: ignore[no-untyped-call]
            for key, (value, at) in values.items():
                into.write_value(key, value, at)  # type: ignore[no-untyped-call]
            into.close()  # type: ignore[no-untyped-call]
        (made / _PROCESSES).write_text("\n".join(dead))
        made.rename(self._path / f"{_FOLDED}{number}")  # from here on it is so


@contextmanager
def owned(path: Path) -> Iterator[Folder]:
    """The folder, made where it is missing, owned by this process for the block.

    Raises:
        SettingsError: it cannot be used, or another process owns it.
    """
    try:
        make(path)
        deadline = time.monotonic() + OWNED_WITHIN_S
        while (held := lock(path / _OWNER)) is None:  # an owner that is just ending lets go soon
            if time.monotonic() >= deadline:
                raise SettingsError(
                    f"metrics folder {path}: another process uses it; every worker, and the"
                    " scraper's exporter, needs a MISSING_TABLE_METRICS_FOLDER of its own"
                )
            time.sleep(0.05)
    except OSError as error:
        raise unusable(path, error) from error
    try:
        folder = Folder(path)
        try:
            folder.fold()
        except Unreadable as error:
            raise unusable(path, error) from error
        yield folder
    finally:
        os.close(held)


def tidied(path: Path) -> None:
    """Fold what dead processes left, where nobody owns the folder; its owner would do it else.

    Raises:
        SettingsError: the folder cannot be used.
    """
    try:
        make(path)
        held = lock(path / _OWNER)
        if held is None:
            return
        try:
            Folder(path).fold()
        finally:
            os.close(held)
    except Unreadable as error:
        raise unusable(path, error) from error


def _sums(files: Iterable[Path]) -> dict[str, dict[str, tuple[float, float]]]:
    """By kind of file, then by series: value and time. Live gauges are left out. As many as files.

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
            into[key] = _together(kind, into[key], (value, at)) if key in into else (value, at)
    return sums


def _together(
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
    """Which fold this is; None where it was never finished."""
    digits = folded.name.removeprefix(_FOLDED)
    return int(digits) if digits.isdigit() else None
