"""Brokers, databases and Redis servers that outlive a lab and are given to the next one, emptied.

Starting the three from nothing takes some six seconds of processor, most of it Erlang's; a test
often needs less for all the rest. So a process that opens many labs keeps them: each lab gets a
database and a virtual host that were made anew, and processes of the system's own roles that are
its own. Only what is known to be as good as new is given on: a server that a lab ended, stopped,
restarted or reached with rabbitmqctl is replaced by a new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from lab.errors import SubstrateError
from lab.substrates.local import broker, database, keeper, results
from lab.substrates.local.instance import Instance, Process
from lab.substrates.local.ports import Ports
from lab.substrates.local.processes import Running, Spawner
from lab.substrates.local.service import Ground, Launch, Service
from lab.substrates.local.startup import Rise, bring_up


class _Kind(NamedTuple):
    """A server with its helpers: how it is started, and how it is emptied."""

    services: Callable[[Ground], list[Service]]
    empty: Callable[[Ground], None]


_KINDS = (
    _Kind(broker.services, broker.empty),
    _Kind(database.services, database.empty),
    _Kind(results.services, results.empty),
)


class Servers:
    """One server of each kind, for one lab at a time.

    Attributes:
        running: their processes, by name.
        lent: whether a lab has them.
    """

    def __init__(self, ground: Ground, spawner: Spawner) -> None:
        """Prepare; starts nothing."""
        self.running: dict[str, tuple[Running, Launch]] = {}
        self.lent = False
        self._ground = ground
        self._spawner = spawner

    def lend(self, ground: Ground) -> None:
        """Make them as good as new, for the lab of `ground`, which gets their ports and passwords.

        Raises:
            SubstrateError: one did not start.
        """
        self._ground.plan = ground.plan
        self._ground.prepared = ground.prepared
        rises: list[Rise] = []
        for kind in _KINDS:
            services = kind.services(self._ground)
            if not self._emptied(kind, services):
                for service in services:
                    self._end(service.name)
                rises += [Rise(each, self._spawner, self._logs, self._started) for each in services]
        bring_up(rises, lambda name, seconds: None)
        ground.ports |= self._ground.ports
        ground.passwords |= self._ground.passwords
        for name in self.running:
            log = self._logs / f"{name}.log"
            log.open("w").close()  # a lab sees what was said since it began
            (ground.instance.logs / log.name).symlink_to(log)

    def keep(self, untouched: Mapping[str, Running]) -> frozenset[str]:
        """End those that are no longer as they were lent; return the names of the others.

        Args:
            untouched: the processes of the lab that nobody stopped or changed the settings of.
        """
        for name, (process, _) in list(self.running.items()):
            if untouched.get(name) is not process or process.paused or process.ended() is not None:
                self._end(name)
        return frozenset(self.running)

    def close(self) -> None:
        """End all of them."""
        for name in list(self.running):
            self._end(name)

    @property
    def _logs(self) -> Path:
        return self._ground.instance.logs

    def _emptied(self, kind: _Kind, services: list[Service]) -> bool:
        found = [self.running[each.name][0] for each in services if each.name in self.running]
        if len(found) < len(services) or any(each.ended() is not None for each in found):
            return False
        try:
            kind.empty(self._ground)
        except SubstrateError:
            return False
        return True

    def _started(self, name: str, process: Running, launch: Launch) -> None:
        self.running[name] = process, launch
        self._ground.instance.change(
            processes=[
                Process(each, run.pid, run.started, int(run.command.end), list(how.ports))
                for each, (run, how) in self.running.items()
            ]
        )

    def _end(self, name: str) -> None:
        found = self.running.pop(name, None)
        if found is not None:
            found[0].kill()


class Pool:
    """The servers for the labs of one process."""

    def __init__(self, base: Path) -> None:
        """Prepare; starts nothing.

        Args:
            base: the folder of everything that the servers keep.
        """
        self._base = base
        self._all: list[Servers] = []
        self._lock = Lock()
        self._closing = ExitStack()

    def lend(self, ground: Ground) -> Servers:
        """Servers as good as new, for one lab; see `Servers.lend`."""
        with self._lock:
            chosen = next((each for each in self._all if not each.lent), None)
            if chosen is None:
                chosen = self._more(ground)
            chosen.lent = True
        chosen.lend(ground)
        return chosen

    def close(self) -> None:
        """End all servers and remove their folders."""
        self._closing.close()

    def _more(self, ground: Ground) -> Servers:
        instance = Instance.named(f"pool-{os.getpid()}-{len(self._all) + 1}", self._base)
        self._closing.enter_context(keeper.in_process(instance))
        ports, spawner = Ports(), Spawner()
        self._closing.callback(ports.release)
        self._closing.callback(spawner.close)
        made = Servers(Ground(instance, ground.plan, ports), spawner)
        self._closing.callback(made.close)
        self._all.append(made)
        return made
