"""A lab on a cluster that another process keeps: used as it is, and left running.

What acts on pods and links is done by its keeper (`local.by_keeper`), which holds the ways into the
namespace, too; programs run in the lab's runner, as they do for the keeper.
"""

from __future__ import annotations

from lab.substrates.containers.identity import identity
from lab.substrates.containers.runner import Client, Runner
from lab.substrates.kubernetes import seen
from lab.substrates.kubernetes.kubectl import context
from lab.substrates.kubernetes.kubernetes import Kubernetes
from lab.substrates.kubernetes.place import InNamespace
from lab.substrates.local.by_keeper import ByKeeper, by_keeper
from lab.substrates.local.instance import Instance
from lab.substrates.plan import Plan, Role
from lab.substrates.protocol import Endpoints, Log


class Attached(Runner, ByKeeper, InNamespace):
    """The running lab of an instance."""

    name = Kubernetes.name

    def __init__(self, instance: Instance) -> None:
        """Prepare; joins nothing yet."""
        Runner.__init__(self)
        ByKeeper.__init__(self, instance)

    def up(self, plan: Plan) -> Endpoints:
        """Attach; the plan is that of the process that started the lab, see `kept_plan`.

        Raises:
            CannotRun: it is not up, or no context was named.
        """
        context()
        state, self._endpoints = self.join()
        self._client = Client(**state.runner)
        return self._endpoints

    def down(self) -> None:
        """Leave; the process that started the lab ends it."""
        self.leave()
        self._client = self._endpoints = None

    def logs(self, role: Role | None = None) -> list[Log]:
        """The logs of a role, one for each process it ever had; of everything if None."""
        programs = self.program_logs() if self._client is not None else []
        found = [*seen.logs(self._instance), *programs]
        return [log for log in found if role is None or log.name.startswith(f"{role}-")]

    def namespace(self) -> str:
        """That of the lab alone."""
        return identity(self._instance)

    kill = by_keeper(Kubernetes.kill)
    terminate = by_keeper(Kubernetes.terminate)
    start = by_keeper(Kubernetes.start)
    pause = by_keeper(Kubernetes.pause)
    resume = by_keeper(Kubernetes.resume)
    scale = by_keeper(Kubernetes.scale)
    kill_child = by_keeper(Kubernetes.kill_child)
    control_broker = by_keeper(Kubernetes.control_broker)
    cut = by_keeper(Kubernetes.cut)
    stall = by_keeper(Kubernetes.stall)
    slow = by_keeper(Kubernetes.slow)
    answer = by_keeper(Kubernetes.answer)
    half_open = by_keeper(Kubernetes.half_open)
    heal = by_keeper(Kubernetes.heal)
