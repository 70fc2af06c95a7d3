"""A lab that another process keeps, as `lab up` does: used as it is, and left running.

It has every ability of a lab of one's own. What acts on processes and links is done by the keeper
(`by_keeper`); commands of the system run here.
"""

from __future__ import annotations

from lab.substrates.local.by_keeper import ByKeeper, by_keeper
from lab.substrates.local.instance import Instance
from lab.substrates.local.local import Local
from lab.substrates.local.workspace import Workspace
from lab.substrates.plan import BROKERS, Plan
from lab.substrates.protocol import Endpoints


class Attached(Workspace, ByKeeper):
    """The running lab of an instance."""

    name = "local"

    def __init__(self, instance: Instance) -> None:
        Workspace.__init__(self, instance)
        ByKeeper.__init__(self, instance)

    def up(self, plan: Plan) -> Endpoints:
        """Attach; the plan is that of the process that started the lab, see `kept_plan`.

        Raises:
            CannotRun: it is not up.
        """
        _, self._endpoints = self.join()
        return self._endpoints

    def down(self) -> None:
        """Leave; the process that started the lab ends it."""
        self.leave()
        self._endpoints = None

    def brokers_max(self) -> int:
        """How many nodes its broker can have."""
        return max(BROKERS)

    kill = by_keeper(Local.kill)
    terminate = by_keeper(Local.terminate)
    start = by_keeper(Local.start)
    pause = by_keeper(Local.pause)
    resume = by_keeper(Local.resume)
    scale = by_keeper(Local.scale)
    kill_child = by_keeper(Local.kill_child)
    kill_parent = by_keeper(Local.kill_parent)
    control_broker = by_keeper(Local.control_broker)
    watch = by_keeper(Local.watch)
    cut = by_keeper(Local.cut)
    stall = by_keeper(Local.stall)
    slow = by_keeper(Local.slow)
    answer = by_keeper(Local.answer)
    half_open = by_keeper(Local.half_open)
    heal = by_keeper(Local.heal)
