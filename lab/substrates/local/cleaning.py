"""Ends the processes that a lab has left running, and removes the folders that it has left."""

from __future__ import annotations

import os
import shutil
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from lab.errors import NotWithin
from lab.substrates.local import database, processes
from lab.substrates.local.instance import FAILED, Instance, Process, instances, when_dead
from lab.wait import eventually

GRACE_S = 3.0
"""How long a left-over process may take to end in order."""

FAILED_STARTS_KEPT = 10


def sweep_dead(base: Path) -> list[str]:
    """End and remove every instance below `base` whose lab has died. Returns their names."""
    dead = [each.name for each in instances(base) if when_dead(each, partial(close, each))]
    for home in database.abandoned():
        _remove_home(home)
    _forget_old_failures(base)
    return dead


def close(instance: Instance, *, descendants: bool = False) -> None:
    """End every process of the instance and remove its folders, but for a failed start's logs.

    Only for the holder of its lock.

    Args:
        descendants: also end everything that descends from the calling process.
    """
    state = instance.read()
    end(state.processes if state else [], descendants=descendants)
    for folder in map(Path, state.elsewhere if state else []):
        _remove_home(folder)
    database.release_shared_memory(instance.folder)
    instance.erase(keep_logs=state is not None and state.phase == FAILED)


def _remove_home(folder: Path) -> None:
    database.release_shared_memory(folder)
    if folder.name.startswith(database.ELSEWHERE_PREFIX):
        shutil.rmtree(folder, ignore_errors=True)


def end(recorded: list[Process], *, descendants: bool) -> None:
    """End the recorded processes and those below them; whatever resists is killed."""
    living = _living(recorded, descendants)
    how = {each.pid: each.end for each in recorded}
    processes.send(living, signal.SIGCONT)
    for each in living:
        processes.send([each], signal.Signals(how.get(each.pid, signal.SIGTERM)))
    with suppress(NotWithin):
        eventually(
            "what is left to end",
            lambda: not any(map(processes.is_alive, living)),
            within_s=GRACE_S,
        )

    def killed() -> bool:
        left = _living(recorded, descendants)
        processes.send(left, signal.SIGKILL)
        return not left

    eventually("what resists to be killed", killed, within_s=processes.KILL_GRACE_S)


def _living(recorded: list[Process], descendants: bool) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    if descendants:
        _reap()
        found = {each.pid: each for each in psutil.Process().children(recursive=True)}
    for each in recorded:
        if _is_same(each):
            found.update((p.pid, p) for p in processes.tree(each.pid))
    return [each for each in found.values() if processes.is_alive(each)]


def _is_same(record: Process) -> bool:
    """Whether the session that this process led still has members that can only be its own.

    A pid may be reused by other processes, but not while a session of that number lives.
    """
    begins = {}
    for each in processes.tree(record.pid):
        with suppress(psutil.NoSuchProcess):
            begins[each.pid] = processes.start_time(each.pid)
    itself = begins.get(record.pid, record.started)
    return bool(begins) and itself == record.started <= min(begins.values())


def _reap() -> None:
    """Take the exit status of every child that has ended, adopted ones too."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _forget_old_failures(base: Path) -> None:
    """Keep the logs of the newest failed starts only."""
    if not base.is_dir():
        return
    alive = {each.folder for each in instances(base)}
    failed = [
        each
        for each in base.absolute().iterdir()
        if each.is_dir() and each not in alive and not each.name.startswith("_")  # no lab's name
    ]
    failed.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    for each in failed[FAILED_STARTS_KEPT:]:
        shutil.rmtree(each, ignore_errors=True)
