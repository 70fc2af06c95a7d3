"""A process of an experiment's own, that does not outlive it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.substrates.local.processes import Command, Running, Spawner


@contextmanager
def running(command: Command, log: Path) -> Iterator[Running]:
    """Start `command` for the block; whatever is left of it is killed at the end.

    Args:
        log: its output is added there.
    """
    spawner = Spawner()
    try:
        process = Running(spawner.spawn(command, log), command)
        try:
            yield process
        finally:
            process.kill()
    finally:
        spawner.close()
