"""Nothing outlives a lab on an engine or a cluster, however it ends.

A lab that ends removes everything itself. If it is killed, its keeper does (`local.keeper`), and if
that is killed, too, a watcher: a shell in a session of its own that waits until a pipe closes which
only the lab holds open. What even that left is swept when the next lab starts there.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from lab.substrates.containers.identity import identity
from lab.substrates.local.instance import Instance


class Leftovers(Protocol):
    """How to remove what labs have made there; a module will do."""

    def remove(self, lab: str) -> None:
        """Remove all of a lab; does nothing if there is none.

        Raises:
            SubstrateError: something resists.
        """
        ...

    def sweep(self) -> list[str]:
        """Remove what labs of this machine have left that are dead; return their names."""
        ...

    def removal(self, lab: str) -> str:
        """The lines of a shell that remove all of a lab."""
        ...


@contextmanager
def none_left(instance: Instance, leftovers: Leftovers) -> Iterator[None]:
    """Remove all of a lab after the block, also if this process is killed in it."""
    lab = identity(instance)
    leftovers.remove(lab)  # of a lab of this name that has died
    reading, writing = os.pipe()  # closed in all programs that start from here
    watcher = subprocess.Popen(
        ["sh", "-c", f"trap '' HUP INT\nread -r nothing\n{leftovers.removal(lab)}"],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(reading)
    try:
        yield
    finally:
        try:
            leftovers.remove(lab)
        finally:
            with suppress(ProcessLookupError):
                watcher.kill()
            watcher.wait()
            os.close(writing)
