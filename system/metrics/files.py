"""Metrics kept in files, so that they outlive their process, however it ends.

    <process>.lock                     locked for as long as the process lives
    counter_<process>.db  …            prometheus_client's files, mapped into memory

What is written to mapped memory belongs to the kernel, so SIGKILL loses nothing. A process has a
name that is never used twice, unlike its number. The kernel knows whether it is alive: it releases
the lock when the process ends, for whatever reason. `metrics.folder` reads all this, and merges the
files of dead processes.
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
OWN_PROCESSES: set[str] = set()
"""Names of this process. It must not try their locks: closing a lock file releases the lock."""

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def persist_in(folder: Path | None) -> Iterator[None]:
    """Keep the metrics created in the block in files of `folder`; in memory, if it is None.

    All their series have to be created in the block too. Call it once in a process, and again after
    a fork, for metrics of the child: two processes must not write to one file.

    Raises:
        SettingsError: the folder cannot be created or written.
    """
    if folder is None:
        yield
        return
    try:
        create_folder(folder)
        process = _register_process(folder)
    except OSError as error:
        raise folder_error(folder, error) from error
    # The library takes the folder from the environment and the class from its module, both only
    # when a metric is created. So they are set here, and the order of imports does not matter.
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


def create_folder(folder: Path) -> None:
    """Create the folder if it is missing, readable for its owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def lock(path: Path) -> int | None:
    """Lock a file, created if it is missing; None if another process holds the lock.

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


def folder_error(folder: Path, error: Exception) -> SettingsError:
    """The error to raise if the folder cannot be used."""
    return SettingsError(
        f"metrics folder {folder}: {error}; set MISSING_TABLE_METRICS_FOLDER to a folder that can"
        " be written, or move what is in it away"
    )


def _register_process(folder: Path) -> str:
    """Take a name, and lock its file until this process ends."""
    process = f"{os.getpid()}-{secrets.token_hex(6)}"
    # Locked before anybody can see it: a file that is there unlocked is that of a dead process.
    hidden = folder / f".{process}"
    lock(hidden)
    hidden.rename(folder / f"{process}{LOCK_SUFFIX}")
    OWN_PROCESSES.add(process)
    return process
