"""Metrics kept in files, so that they outlive their process, however it ends.

    <process>.lock                     locked for as long as the process lives
    counter_<process>.db  …            prometheus_client's files, mapped into memory

What is written to mapped memory is the kernel's, so SIGKILL takes nothing of it. A process is known
by a name that is never used twice, not by its number, which is. Whether it lives is asked of the
kernel: it lets go of the lock at the process's end, whatever that was. `metrics.folder` reads all
this, and brings the files of the dead together.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import values

from system.errors import SettingsError

LOCK_SUFFIX = ".lock"
OWN: set[str] = set()
"""Names that this process has taken. It must not try their locks: to close one again ends it."""

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def kept_in(folder: Path | None) -> Iterator[None]:
    """Metrics that are made in the block live in files of `folder`; in memory, where it is None.

    All their series have to be made in the block too. Call it once in a process, and after a fork
    again, for metrics of the child's own: two processes must not write to one file.

    Raises:
        SettingsError: the folder cannot be made or written.
    """
    if folder is None:
        yield
        return
    try:
        make(folder)
        process = _begin_to_live(folder)
    except OSError as error:
        raise unusable(folder, error) from error
    # The library looks for the folder in the environment and takes the class from its module; both
    # only while a metric is made, so that it is settled here rather than by the order of imports.
    before, variable = values.ValueClass, os.environ.get(_FOLDER_VARIABLE)
    os.environ[_FOLDER_VARIABLE] = str(folder)
    values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        values.ValueClass = before
        if variable is None:
            del os.environ[_FOLDER_VARIABLE]
        else:
            os.environ[_FOLDER_VARIABLE] = variable


def make(folder: Path) -> None:
    """Make the folder where it is missing, for its owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def lock(path: Path) -> int | None:
    """Lock a file, made where it is missing; None where another process holds it.

    Returns:
        The open file. The lock belongs to this process alone: a fork does not inherit it, and it
        ends with the process or when the process closes *any* descriptor of this file.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(file)
        return None
    return file


def unusable(folder: Path, error: Exception) -> SettingsError:
    """What to raise where the folder cannot be used."""
    return SettingsError(
        f"metrics folder {folder}: {error}; set MISSING_TABLE_METRICS_FOLDER to a folder that can"
        " be written, or move what is in there away"
    )


def _begin_to_live(folder: Path) -> str:
    """Take a name, and lock its file until this process ends."""
    process = f"{os.getpid()}-{secrets.token_hex(6)}"
    # Locked before anybody can see it: a file that is there unlocked is that of a dead process.
    hidden = folder / f".{process}"
    lock(hidden)
    hidden.rename(folder / f"{process}{LOCK_SUFFIX}")
    OWN.add(process)
    return process
