"""Process trees for the tests: what a service may leave behind, and whether it is gone.

Also the guarded program of the keeper's tests: `python -m lab.tests.trees <folder>` claims an
instance there, starts such a tree through the spawner, writes down its pids, and waits.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import psutil

from lab.substrates.local import Local, keeper
from lab.substrates.local.instance import Instance
from lab.substrates.local.processes import Command, Spawner, is_alive, tree
from lab.substrates.local.service import environment
from lab.wait import eventually

MEMBERS = 4

# A service with a child, a child that ignores SIGTERM, and a grandchild that leaves the session and
# whose parent ends. Each adds its pid to the file that is the first argument.
SCRIPT = """
me() { sh -c 'echo $PPID' >> "$0"; }
me
(me; exec sleep 600) &
(trap '' TERM; me; while :; do sleep 1; done) &
setsid sh -c '(sh -c "echo \\$PPID" >> "$0"; exec sleep 600) &' "$0"
wait
"""


def command(pids: Path) -> Command:
    """A service whose members write their pids to the file `pids`."""
    return Command(("sh", "-c", SCRIPT, str(pids)), environment(), cwd=pids.parent)


def members(pids: Path) -> list[psutil.Process]:
    """Wait until every member has written its pid, and return them all."""

    def look() -> list[psutil.Process]:
        numbers = pids.read_text().split() if pids.exists() else []
        return [psutil.Process(int(n)) for n in numbers] if len(numbers) == MEMBERS else []

    return eventually("all members to write their pids", look, within_s=60)


def of_lab(local: Local) -> list[psutil.Process]:
    """Every process of a lab, children included."""
    return [member for each in local.processes() for member in tree(each.pid)]


def wait_gone(processes: list[psutil.Process], within_s: float = 60) -> None:
    """Wait until all of them have ended."""

    def gone() -> bool:
        return not any(is_alive(each) for each in processes)

    eventually(f"{[each.pid for each in processes]} to end", gone, within_s=within_s)


def main() -> int:
    """Guard a tree until a signal ends it, or at once where the second argument is `leave`."""
    folder = Path(sys.argv[1])
    instance = Instance.named("guarded", folder / ".lab")
    spawner = Spawner()  # kept: what it started ends with it

    def work() -> int:
        spawner.spawn(command(folder / "pids"), instance.logs / "tree.log")
        members(folder / "pids")
        (folder / "work").write_text(str(psutil.Process().pid))
        if sys.argv[2] == "leave":
            return 7
        threading.Event().wait()
        return 0

    return keeper.run_guarded(work, instance)


if __name__ == "__main__":
    sys.exit(main())
