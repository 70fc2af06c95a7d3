"""The machine as seen from outside the lab: processes, programs, and what a lab wrote down."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from lab.substrates.protocol import Endpoints

HOST = "127.0.0.1"
_MORE_PLACES = "/usr/sbin:/usr/local/sbin:/opt/homebrew/bin:/opt/homebrew/sbin"


@dataclass(frozen=True, slots=True)
class State:
    """What a lab has written down about itself.

    Attributes:
        keeper: the pid of the process that ends it.
        processes: pids by name.
        ports: of all of them.
        folders: what it keeps outside its own folder.
    """

    keeper: int
    endpoints: Endpoints
    processes: dict[str, int]
    ports: list[int]
    folders: list[Path]


def state_of(folder: Path) -> State:
    """Read the state of the lab in `folder`."""
    content = json.loads((folder / "state.json").read_text("utf-8"))
    return State(
        content["keeper"],
        Endpoints(**content["endpoints"]),
        {process["name"]: process["pid"] for process in content["processes"]},
        [port for process in content["processes"] for port in process["ports"]],
        [Path(folder) for folder in content["elsewhere"]],
    )


def tree(pid: int) -> list[psutil.Process]:
    """A process and everything below it that lives; also what only its session still holds."""
    found: dict[int, psutil.Process] = {}
    with suppress(psutil.NoSuchProcess):
        leader = psutil.Process(pid)
        found = {each.pid: each for each in (leader, *leader.children(recursive=True))}
    for process in psutil.process_iter():
        with suppress(OSError):
            if os.getsid(process.pid) == pid:
                found.setdefault(process.pid, process)
    return [process for process in found.values() if is_alive(process)]


def is_alive(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that only waits to be reaped has."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def program(name: str) -> str:
    """Where a program is."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{_MORE_PLACES}")
    if found is None:
        pytest.fail(f"{name} is not installed; `lab doctor` says what is missing")
    return found
