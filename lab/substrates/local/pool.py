"""Broker nodes that outlive a lab and are given to the next one, emptied.

The start of a node takes some five seconds of processor, more than all the rest of a lab together;
to make its virtual host anew takes a quarter of one. So a process that opens many labs keeps them.
Only what is known to be as good as new is given on: a node that a lab ended, stopped, restarted or
reached with rabbitmqctl is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Any

from lab.errors import SubstrateError
from lab.substrates.local import broker, keeper
from lab.substrates.local.instance import Instance, Process
from lab.substrates.local.ports import Ports
from lab.substrates.local.processes import Running, Spawner
from lab.substrates.local.service import Ground, Launch
from lab.substrates.local.startup import Rise, bring_up


class Node:
    """A broker with its port mapper, for one lab at a time.

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
        self._new: dict[str, Any] = {}

    def lend(self, ground: Ground) -> None:
        """Make it as good as new for the lab of `ground`, which gets its ports and passwords.

        Raises:
            SubstrateError: it did not start.
        """
        self._ground.plan = ground.plan
        services = broker.services(self._ground)
        if not self._is_emptied(len(services)):
            self.end()
            bring_up(
                [Rise(each, self._spawner, self._logs, self._started) for each in services],
                lambda name, seconds: None,
            )
            self._new = broker.shape(self._ground)
        ground.ports |= self._ground.ports
        ground.passwords |= self._ground.passwords
        for name in self.running:
            log = self._logs / f"{name}.log"
            log.open("w").close()  # a lab sees what was said since it began
            (ground.instance.logs / log.name).symlink_to(log)

    def keep(self, untouched: Mapping[str, Running]) -> frozenset[str]:
        """End the node if it is not as it was lent; return the names of the processes that stay.

        Args:
            untouched: the processes of the lab without those whose settings it may have changed.
        """
        for name, (process, _) in self.running.items():
            if untouched.get(name) is not process or process.paused or process.ended() is not None:
                self.end()
                break
        return frozenset(self.running)

    @property
    def _logs(self) -> Path:
        return self._ground.instance.logs

    def _is_emptied(self, size: int) -> bool:
        if len(self.running) < size or any(
            process.ended() is not None for process, _ in self.running.values()
        ):
            return False
        try:
            broker.empty(self._ground)
            return broker.shape(self._ground) == self._new
        except SubstrateError:
            return False

    def _started(self, name: str, process: Running, launch: Launch) -> None:
        self.running[name] = process, launch
        self._ground.instance.change(
            processes=[
                Process(each, run.pid, run.started, int(run.command.end), list(how.ports))
                for each, (run, how) in self.running.items()
            ]
        )

    def end(self) -> None:
        """End it, and wait until it has ended."""
        for process, _ in self.running.values():
            process.kill()
        self.running.clear()


class Pool:
    """The nodes for the labs of one process."""

    def __init__(self, base: Path) -> None:
        """Prepare; starts nothing.

        Args:
            base: the folder of everything that the nodes keep.
        """
        self._base = base
        self._nodes: list[Node] = []
        self._lock = Lock()
        self._closing = ExitStack()

    def lend(self, ground: Ground) -> Node:
        """A node as good as new for one lab; see `Node.lend`."""
        with self._lock:
            chosen = next((each for each in self._nodes if not each.lent), None)
            chosen = chosen or self._more(ground)
            chosen.lent = True
        chosen.lend(ground)
        return chosen

    def close(self) -> None:
        """End all nodes and remove their folders."""
        self._closing.close()

    def _more(self, ground: Ground) -> Node:
        instance = Instance.named(f"pool-{os.getpid()}-{len(self._nodes) + 1}", self._base)
        self._closing.enter_context(keeper.in_process(instance))
        ports, spawner = Ports(), Spawner()
        self._closing.callback(ports.release)
        self._closing.callback(spawner.close)
        made = Node(Ground(instance, ground.plan, ports), spawner)
        self._closing.callback(made.end)
        self._nodes.append(made)
        return made
