"""What outlives a lab: broker nodes, given to the next one emptied, and a fork server.

The start of a node takes some four seconds of processor, more than all the rest of a lab together;
to make its virtual host anew takes a quarter of one. So a process that opens many labs keeps them.
Only what is known to be as good as new is given on: a node that a lab left dead or stopped, or
reached with rabbitmqctl, is replaced.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Any

from lab.errors import SubstrateError
from lab.substrates.local import broker, emptying, forkserver, keeper
from lab.substrates.local.forkserver import ForkServer
from lab.substrates.local.instance import Instance, Process
from lab.substrates.local.ports import Ports
from lab.substrates.local.processes import Running, Spawner, end_with_parent
from lab.substrates.local.service import Ground, Launch
from lab.substrates.local.startup import Rise, bring_up
from lab.wait import eventually

FORGOTTEN_S = 5.5
"""The broker counts what went through a queue every five seconds, by the queue's name. One that
gets its name within that time is given the rest of its predecessor's numbers."""


class Node:
    """A broker with its port mapper, for one lab at a time.

    Attributes:
        running: their processes, by name.
        lent: whether a lab has them.
        spawner: what starts its processes, also those that a lab starts again.
        ripe: when it has forgotten its last lab, on the monotonic clock.
    """

    def __init__(self, ground: Ground, spawner: Spawner) -> None:
        """Prepare; starts nothing."""
        self.running: dict[str, tuple[Running, Launch]] = {}
        self.lent = False
        self.spawner = spawner
        self.ripe = 0.0
        self._ground = ground
        self._new: dict[str, Any] = {}

    def lend(self, ground: Ground) -> None:
        """Make it as good as new for the lab of `ground`, which gets its ports and passwords.

        Raises:
            SubstrateError: it did not start.
        """
        self._ground.plan = ground.plan
        services = broker.services(self._ground)
        if not self._is_as_new(len(services)):
            self.end()
            bring_up(Rise(each, self.spawner, self._logs, self._started) for each in services)
            self._new = emptying.shape(self._ground)
        ground.ports |= self._ground.ports
        ground.passwords |= self._ground.passwords
        for name in self.running:
            log = self._logs / f"{name}.log"
            log.open("w").close()  # a lab sees what was said since it began
            (ground.instance.logs / log.name).symlink_to(log)

    def take_back(self, used: Mapping[str, tuple[Running, Launch]], *, changed: bool) -> None:
        """Empty the node for the next lab, or end it where that cannot be done.

        Args:
            used: the processes of the lab that had it, those that it started again among them.
            changed: whether the node's settings may be others than when it was lent.
        """
        for name in self.running.keys() & used.keys():
            self._started(name, *used[name])
        if changed or not self._lives() or not self._is_cleared():
            self.end()
        self.lent = False

    @property
    def _logs(self) -> Path:
        return self._ground.instance.logs

    def _lives(self) -> bool:
        return all(
            process.ended() is None and not process.paused for process, _ in self.running.values()
        )

    def _is_cleared(self) -> bool:
        try:
            emptying.clear(self._ground)
        except SubstrateError:
            return False
        self.ripe = time.monotonic() + FORGOTTEN_S
        return True

    def _is_as_new(self, size: int) -> bool:
        """Define what a lab needs, and look whether anything else is there."""
        if len(self.running) < size or not self._lives():
            return False
        eventually(
            "the broker to have forgotten the last lab",
            lambda: time.monotonic() >= self.ripe,
            within_s=2 * FORGOTTEN_S,
        )
        try:
            emptying.define(self._ground)
            return emptying.shape(self._ground) == self._new
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
        """End it, the newest first, and wait until it has ended.

        A broker that outlives its epmd starts another one, which nobody would end.
        """
        for process, _ in reversed(self.running.values()):
            process.kill()
        self.running.clear()
        self.ripe = 0.0


class Pool:
    """The nodes for the labs of one process, and the server that starts their programs.

    Attributes:
        forks: None if this machine has no fork server; see `forkserver`.
    """

    def __init__(self, base: Path, kept: int = 2) -> None:
        """Prepare; starts nothing.

        Args:
            base: the folder of everything that the nodes keep.
            kept: how many nodes take turns, so that a lab seldom waits for one to have forgotten
                the last one.
        """
        self._base = base
        self._kept = kept
        self._nodes: list[Node] = []
        self._lock = Lock()
        self._closing = ExitStack()
        self.forks: ForkServer | None = None
        if forkserver.AVAILABLE:
            self.forks = ForkServer(end_with_parent(signal.SIGKILL))
            self._closing.callback(self.forks.close)

    def lend(self, ground: Ground) -> Node:
        """A node as good as new for one lab; see `Node.lend`."""
        with self._lock:
            free = [each for each in self._nodes if not each.lent]
            chosen = min(free, key=lambda each: each.ripe, default=None)
            if chosen is None or (chosen.ripe > time.monotonic() and len(self._nodes) < self._kept):
                chosen = self._more(ground)
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
