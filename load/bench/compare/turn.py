"""One turn of one contender, on a lab of its own: its rate, and what a message cost.

The rate is messages over seconds, from the moment the stopped workers go on until the last receipt
is written (`committed_at`, by the database's clock, which is this machine's). The workers have
worked before: their imports, connections and prepared statements are in no figure.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psycopg

from lab.errors import CannotRun, NotWithin
from lab.substrates import registry
from lab.substrates.plan import Plan
from lab.substrates.protocol import Endpoints, Substrate
from load.bench import cpu
from load.bench.backlog import DRAIN_WITHIN_S, WARM_UP, wait_for_receipts
from load.bench.messages import observations
from system.contract.envelope import Envelope

WARM_UP_SEED, SEED = 1, 2
BYTES_PER_MIB = 1 << 20


class Side(Protocol):
    """A contender that is up.

    Attributes:
        receipts: the table of its receipts.
    """

    receipts: str

    def publish(self, messages: Iterable[Envelope]) -> None:
        """Publish to its queue; return when all is confirmed."""
        ...

    def pause(self) -> None:
        """Stop its workers where they are."""
        ...

    def resume(self) -> None:
        """Let them go on."""
        ...

    def processes(self) -> Sequence[cpu.Listed]:
        """Its own workers, if they are not among the lab's processes."""
        ...

    def complaints(self) -> list[str]:
        """What is wrong with what it did; it does no more afterwards."""
        ...


class Contender(Protocol):
    """Who takes part."""

    @property
    def name(self) -> str:
        """As the table has it."""
        ...

    @property
    def ours(self) -> bool:
        """Whether it is the pipeline."""
        ...

    def plan(self) -> Plan:
        """The lab that it needs."""
        ...

    def opened(
        self, substrate: Substrate, endpoints: Endpoints, folder: Path
    ) -> AbstractContextManager[Side]:
        """Start what is not of the lab.

        Args:
            folder: for its records and logs.
        """
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn gave.

    Attributes:
        per_s: messages a second; None if there is something to complain about.
        cpu_us: microseconds of processor time per message, by role.
        memory_mib: resident memory of the workers, children included, when all was done.
    """

    contender: str
    ours: bool
    messages: int
    per_s: float | None
    seconds: float | None
    complaints: list[str]
    cpu_us: dict[str, float] = field(default_factory=dict)
    memory_mib: float | None = None

    @property
    def cpu_us_total(self) -> float | None:
        """Of all roles; None if there is no rate either."""
        return round(sum(self.cpu_us.values()), 1) if self.per_s else None


def take(
    contender: Contender,
    messages: int,
    folder: Path,
    *,
    within_s: float = DRAIN_WITHIN_S,
) -> Turn:
    """Let a contender take its turn.

    Args:
        messages: that wait when its workers go on.
        folder: an empty one, for what it leaves behind.
        within_s: how long it may take.
    """
    with opened(contender, folder) as up:
        try:
            up.warm_up(within_s)
            drained = up.drain(messages, seed=SEED, within_s=within_s)
            memory = up.memory_mib()
        except NotWithin as error:
            return Turn(
                *(contender.name, contender.ours, messages, None, None),
                [*up.side.complaints(), str(error)],
            )
        complaints = up.side.complaints()
    return Turn(
        contender.name,
        contender.ours,
        messages,
        None if complaints else round(messages / drained.seconds, 1),
        round(drained.seconds, 3),
        complaints,
        drained.cpu_us,
        memory,
    )


@dataclass(frozen=True, slots=True)
class Drained:
    """One backlog: how long it took, and microseconds of processor time per message, by role."""

    seconds: float
    cpu_us: dict[str, float]


@dataclass
class Up:
    """A contender that is up, on its lab."""

    side: Side
    lab: cpu.ListsProcesses
    database_url: str
    receipts: int = 0

    def warm_up(self, within_s: float = DRAIN_WITHIN_S) -> None:
        """Let the workers declare their queue, connect, and do some work.

        Raises:
            NotWithin: they do not.
        """
        self.side.publish(observations(WARM_UP, per_match=1, seed=WARM_UP_SEED))
        self._wait(WARM_UP, within_s)

    def drain(self, messages: int, *, seed: int, within_s: float = DRAIN_WITHIN_S) -> Drained:
        """Let a backlog wait, let the workers go on, and wait until it has its receipts.

        Raises:
            NotWithin: it has not.
        """
        self.side.pause()
        self.side.publish(observations(messages, per_match=1, seed=seed))
        before, begun = cpu.seconds(self), time.time()
        self.side.resume()
        self._wait(messages, within_s)
        used = cpu.difference(before, cpu.seconds(self))
        us = {role: round(1e6 * each / messages, 1) for role, each in sorted(used.items())}
        return Drained(
            _last_commit(self.database_url, self.side.receipts) - begun,
            {role: each for role, each in us.items() if each >= 1},
        )

    def processes(self) -> Sequence[cpu.Listed]:
        """Those of the lab and the contender's own."""
        return [*self.lab.processes(), *self.side.processes()]

    def _wait(self, messages: int, within_s: float) -> None:
        self.receipts += messages
        wait_for_receipts(
            self.database_url, self.receipts, table=self.side.receipts, within_s=within_s
        )

    def memory_mib(self) -> float:
        """Resident memory of all workers together."""
        workers = [each for each in self.processes() if cpu.role_of(each.name) == cpu.WORKER]
        return round(sum(cpu.resident_bytes(each.pid) for each in workers) / BYTES_PER_MIB, 1)


@contextmanager
def opened(contender: Contender, folder: Path) -> Iterator[Up]:
    """A lab of its own with a contender; nothing of it is left after the block."""
    name = f"bench-{os.getpid()}"
    with registry.find(registry.DEFAULT).opened(name, folder / "lab") as substrate:
        try:
            endpoints = substrate.up(contender.plan())
            if not isinstance(substrate, cpu.ListsProcesses):
                raise CannotRun(f"the substrate {substrate.name!r} does not show its processes")
            with contender.opened(substrate, endpoints, folder) as side:
                yield Up(side, substrate, endpoints.database_url)
        finally:
            substrate.down()


def _last_commit(database_url: str, table: str) -> float:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            f"SELECT extract(epoch FROM max(committed_at)) FROM {table}"  # noqa: S608 - of ours
        ).fetchone()
    if row is None or row[0] is None:
        raise CannotRun(f"there is no receipt in {table}")
    return float(row[0])
