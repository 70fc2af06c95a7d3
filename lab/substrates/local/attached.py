"""A lab that somebody else holds, as `lab up` does: used as it is, and left running.

Only what works from outside, by the pids that the lab has written down: its processes can be
paused and a worker's child killed. A process that was killed could not be started again from here.
"""

from __future__ import annotations

import signal
from pathlib import Path

import psutil

from lab.errors import CannotRun, SubstrateError
from lab.substrates.local.instance import UP, Instance
from lab.substrates.local.processes import children, send, tree
from lab.substrates.local.service import name_of
from lab.substrates.protocol import Endpoints, Plan, Role


class Attached:
    """The running lab of an instance."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def up(self, plan: Plan) -> Endpoints:
        """Where everything answers; the plan is that of whoever started it.

        Raises:
            CannotRun: it is not up.
        """
        state = self._instance.read()
        ends = state.addresses() if state else None
        if state is None or ends is None or state.phase != UP or not self._instance.is_alive():
            raise CannotRun(
                f"no lab named {self._instance.name!r} is up here; start it with `lab up`"
            )
        return ends

    def down(self) -> None:
        """Nothing: who started it ends it."""

    def logs(self, role: Role) -> list[Path]:
        """The log files of a role, one for each process it ever had."""
        return sorted(self._instance.logs.glob(f"{role}-*.log"))

    def pause(self, role: Role, index: int = 0) -> None:
        """Stop the process and all its children where they are."""
        pid = self._pid(role, index)
        send(tree(pid), signal.SIGSTOP)
        send(tree(pid), signal.SIGSTOP)  # a child may have been born meanwhile

    def resume(self, role: Role, index: int = 0) -> None:
        """Let them go on."""
        send(tree(self._pid(role, index)), signal.SIGCONT)

    def kill_child(self, role: Role, index: int = 0) -> None:
        """SIGKILL for one child of the process; the process itself goes on."""
        found = children(self._pid(role, index))
        if not found:
            raise SubstrateError(f"{name_of(role, index)} has no child to kill")
        send(found[:1], signal.SIGKILL)

    def _pid(self, role: Role, index: int) -> int:
        """The pid that the lab has written down, if it still names that very process."""
        state = self._instance.read()
        for each in state.processes if state else []:
            if each.name == name_of(role, index):
                try:
                    if abs(psutil.Process(each.pid).create_time() - each.started) < 1:
                        return each.pid
                except psutil.NoSuchProcess:
                    break
        raise SubstrateError(f"{name_of(role, index)} of lab {self._instance.name!r} does not run")
