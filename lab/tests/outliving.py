"""Whether anything outlives a lab on an engine or a cluster: one that was killed, one that died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.paths import PROJECT
from lab.substrates.containers.identity import identity
from lab.substrates.containers.leftovers import Leftovers
from lab.substrates.local.instance import Instance

HOLD = """
import sys
from pathlib import Path
from lab.substrates import registry
from lab.substrates.plan import Plan

with registry.find(sys.argv[1]).opened("dies", Path(sys.argv[2])) as place:
    place.up(Plan(seed=7, matches=40, workers=0))
    print("up", flush=True)
    sys.stdin.read()
"""


@contextmanager
def killed_after(substrate: str, folder: Path) -> Iterator[str]:
    """A lab that is up for the block, and is killed with SIGKILL at its end; gives its identity."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, substrate, str(folder)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "up\n"
        yield identity(Instance.named("dies", folder))
        os.killpg(holder.pid, signal.SIGKILL)


def sweep_the_dead_alone(
    folder: Path,
    leftovers: Leftovers,
    make: Callable[[Instance], object],
    left_of: Callable[[str], object],
) -> None:
    """Of a dead lab and a living one, a sweep takes what is left of the dead one.

    Args:
        make: makes something that belongs to a lab.
        left_of: what there is of a lab.
    """
    dead, alive = Instance.named("dead", folder), Instance.named("alive", folder)
    for each in (dead, alive):
        make(each)
    try:
        with alive.claimed():
            swept = leftovers.sweep()
            assert "dead" in swept
            assert "alive" not in swept
            assert not left_of(identity(dead))
            assert left_of(identity(alive))
    finally:
        leftovers.remove(identity(alive))
