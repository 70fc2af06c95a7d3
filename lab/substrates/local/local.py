"""The local substrate: the whole system as child processes of the lab."""

from __future__ import annotations

import json
import shutil
import signal
from dataclasses import asdict
from pathlib import Path
from threading import Lock, RLock

from lab.errors import NotWithin, SubstrateError
from lab.substrates.abilities import CHILD_WITHIN_S, Breach
from lab.substrates.local import (
    addresses,
    broker,
    database,
    flower,
    grafana,
    monitoring,
    results,
    roles,
)
from lab.substrates.local.instance import FAILED, UP, Instance, Process
from lab.substrates.local.links import Links
from lab.substrates.local.pool import Node, Pool
from lab.substrates.local.ports import Ports
from lab.substrates.local.prepared import prepared
from lab.substrates.local.processes import Running, Spawner, children, resident_bytes, send
from lab.substrates.local.service import Ground, Launch, Service, name_of
from lab.substrates.local.startup import Rise, bring_up
from lab.substrates.local.workspace import Workspace
from lab.substrates.plan import BROKERS, Plan, Role, as_json
from lab.substrates.protocol import Endpoints
from lab.substrates.provider import Say, silent
from lab.wait import eventually

SERIES_WITHIN_S = 20.0
END_GRACE_S = 5.0
"""How long a process may take to end when the lab goes down; then its whole tree is killed."""


class Local(Workspace, Links):
    """Real services with private data on this machine, with every ability of the protocol.

    The instance must be claimed (see `keeper`); the one that claimed it removes its folder.
    """

    name = "local"

    def __init__(self, instance: Instance, say: Say = silent, pool: Pool | None = None) -> None:
        """Prepare; starts nothing.

        The pool lends the broker, and starts programs faster; without it all is the lab's own.
        """
        Workspace.__init__(self, instance, pool.forks if pool else None)
        Links.__init__(self)
        self._say = say
        self._pool = pool
        self._lent: Node | None = None
        self._changed = False  # whether the node's settings may be others than when it was lent
        self._lock = RLock()  # of all below: faults act from their own threads
        self._turns: dict[str, Lock] = {}
        self._services: dict[str, Service] = {}
        self._launches: dict[str, Launch] = {}
        self._running: dict[str, Running] = {}
        self._ground: Ground | None = None
        self._spawner: Spawner | None = None
        self._watched: dict[str, dict[str, str]] = {}

    def up(self, plan: Plan) -> Endpoints:
        """Start everything; return once every role has answered."""
        if self._spawner is not None:
            raise SubstrateError("the lab is up already: call down() first")
        try:
            self._ground = ground = Ground(self._instance, plan, Ports(), prepared=prepared())
            self._spawner = Spawner(self._forks)
            self.open_links(ground)
            listed = [
                *broker.services(ground),
                *database.services(ground),
                *results.services(ground),
                roles.site(ground),
                roles.api(ground),
                *(roles.worker(ground, index) for index in range(plan.workers)),
            ]
            if plan.monitoring:
                listed += [roles.scraper_exporter(ground), *monitoring.services(ground)]
            if plan.flower:
                listed.append(flower.service(ground))
            if plan.dashboards is not None and grafana.is_here():
                listed.append(grafana.service(ground))
            self._services = {each.name: each for each in listed}
            if self._pool is not None and plan.brokers == 1:
                self._lent = self._pool.lend(ground)
                for name, (process, launch) in self._lent.running.items():
                    self._started(name, process, launch)
            own = [each.name for each in listed if each.name not in self._running]
            bring_up([self._rise(name) for name in own], self._report)
            if plan.dashboards is not None and not grafana.is_here():
                grafana.provision(ground)  # for one from elsewhere
            if plan.monitoring:
                monitoring.wait_until_seen(ground, self._running)
            self._endpoints = addresses.endpoints(ground)
            self._instance.change(
                phase=UP, endpoints=asdict(self._endpoints), plan=json.loads(as_json(plan))
            )
        except BaseException as error:
            if isinstance(error, SubstrateError):
                self._instance.change(phase=FAILED)
            self.down()
            raise
        return self._endpoints

    def down(self) -> None:
        """End everything at once: its data is no longer needed."""
        with self._lock:
            lent = frozenset(self._lent.running) if self._lent else frozenset()
            # The newest first: what outlives what it needs may start it again.
            running = [each for name, each in self._running.items() if name not in lent][::-1]
        for process in running:
            process.send(process.command.end)
        for process in running:
            process.wait(END_GRACE_S)
            process.kill()  # also what it may have left behind
        self.close_links()
        with self._lock:
            if self._lent is not None:
                used = {name: (each, self._launches[name]) for name, each in self._running.items()}
                self._lent.take_back(used, changed=self._changed)
            self._lent = None
            self._changed = False
            self._running.clear()
            self._record()
            if self._spawner is not None:
                self._spawner.close()
            if self._ground is not None:
                self._ground.free.release()
            self._spawner = self._ground = self._endpoints = None

    def keep_series(self, folder: Path) -> None:
        """End Prometheus in order and put its series into `folder`, if there is a Prometheus."""
        ground = self._up()
        with self._lock:
            prometheus = self._running.get(monitoring.PROMETHEUS)
        if prometheus is not None:
            prometheus.send(prometheus.command.end)
            prometheus.wait(SERIES_WITHIN_S)
            shutil.move(ground.folder(monitoring.SERIES), folder)

    def processes(self) -> list[Process]:
        """What was started and not ended by `down`, as it is written down for others.

        A process that died or was killed stays listed until its successor takes its place.
        """
        with self._lock:
            return [
                Process(
                    name, it.pid, it.started, int(it.command.end), [*self._launches[name].ports]
                )
                for name, it in self._running.items()
            ]

    def memory(self) -> dict[str, int]:
        """Bytes of resident memory of each process that lives, children included."""
        return {
            process.name: used
            for process in self.processes()
            if (used := resident_bytes(process.pid)) > 0
        }

    def kill(self, role: Role, index: int = 0) -> None:
        """SIGKILL for the process and all its children."""
        self._process(role, index).kill()

    def kill_child(self, role: Role, index: int = 0) -> None:
        """SIGKILL for one child of the process."""
        pid = self._process(role, index).pid
        what = f"a child of {name_of(role, index)} to kill"
        try:
            found = eventually(what, lambda: children(pid)[:1], within_s=CHILD_WITHIN_S)
        except NotWithin as error:
            raise SubstrateError(str(error)) from error
        send(found, signal.SIGKILL)

    def kill_parent(self, role: Role, index: int = 0) -> None:
        """SIGKILL for the process alone."""
        self._process(role, index).kill_alone()

    def brokers_max(self) -> int:
        """How many nodes its broker can have."""
        return max(BROKERS)

    def control_broker(self, *arguments: str) -> str:
        """Run `rabbitmqctl`; of a cluster, on the first node that lives."""
        self._changed = True
        nodes = [self._process(Role.BROKER, index) for index in range(self._up().plan.brokers)]
        living = [each for each in nodes if each.ended() is None]
        return broker.control(self._up(), (living or nodes)[0].command, *arguments)

    def terminate(self, role: Role, index: int = 0, *, within_s: float = 60) -> None:
        """Ask the process to end, and wait until it has."""
        process = self._process(role, index)
        process.terminate()
        if not process.wait(within_s):
            raise SubstrateError(
                f"{name_of(role, index)} (pid {process.pid}) still runs {within_s:g} s after "
                f"it was asked to end; log: {self._instance.logs / name_of(role, index)}.log"
            )

    def start(self, role: Role, index: int = 0) -> None:
        """Start the process again with its data, and wait until it answers."""
        name = name_of(role, index)
        with self._lock:
            turn = self._turns.setdefault(name, Lock())
        with turn:  # two that start the same process must not both start one
            process = self._process(role, index)
            process.resume()
            if process.ended() is None:
                return
            bring_up([self._rise(name, self._launches[name])], self._report)

    def pause(self, role: Role, index: int = 0) -> None:
        """Stop the process and all its children where they are."""
        self._process(role, index).pause()

    def resume(self, role: Role, index: int = 0) -> None:
        """Let them continue."""
        self._process(role, index).resume()

    def scale(self, role: Role, count: int) -> None:
        """Start or politely end workers until there are `count`. Other roles do not scale here."""
        if role is not Role.WORKER:
            raise SubstrateError(f"the local substrate scales workers only, not {role}")
        have = self.having(role)
        for index in reversed(range(count, have)):
            self.terminate(role, index)
            with self._lock:
                for table in (self._services, self._launches, self._running):
                    table.pop(name_of(role, index), None)
        new = [roles.worker(self._up(), index) for index in range(have, count)]
        self._services.update({each.name: each for each in new})
        bring_up([self._rise(each.name) for each in new], self._report)
        self._record()

    def having(self, role: Role) -> int:
        """How many processes a role has, those that were ended among them."""
        return sum(name.startswith(f"{role}-") for name in self._services)

    def watch(self, job: str, instance: str, address: str) -> None:
        """Let Prometheus scrape something that is not a role of the system."""
        with self._lock:
            self._watched.setdefault(job, {})[instance] = address
        self._record()

    def unwatch(self, job: str, instance: str) -> None:
        """Let Prometheus scrape it no longer: it has gone, and is not to be missed."""
        with self._lock:
            self._watched.get(job, {}).pop(instance, None)
        self._record()

    def note_breaches(self, breaches: list[Breach]) -> None:
        """Write down which faults are at work, for others."""
        self._instance.change(breaches=breaches)

    def _up(self) -> Ground:
        if self._ground is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._ground

    def _process(self, role: Role, index: int) -> Running:
        self._up()
        with self._lock:
            found = self._running.get(name_of(role, index))
        if found is None:
            raise SubstrateError(f"there is no {name_of(role, index)} in this lab")
        return found

    def _rise(self, name: str, again: Launch | None = None) -> Rise:
        if self._spawner is None:
            raise SubstrateError("the lab is not up: call up() first")
        lent = self._lent is not None and name in self._lent.running
        spawner = self._lent.spawner if self._lent and lent else self._spawner
        return Rise(self._services[name], spawner, self._instance.logs, self._started, again)

    def _started(self, name: str, process: Running, launch: Launch) -> None:
        with self._lock:
            self._running[name] = process
            self._launches[name] = launch
        self._record()

    def _record(self) -> None:
        with self._lock:
            self._instance.change(processes=self.processes())
            if self._ground is not None and self._ground.plan.monitoring:
                monitoring.point_at(self._ground, self._running, self._watched)

    def _report(self, name: str, seconds: float) -> None:
        ports = self._launches[name].ports
        where = f" on port {ports[0]}" if ports else ""
        self._say(f"{name}{where}: up after {seconds:.1f} s")
