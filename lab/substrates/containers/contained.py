"""What a lab on an engine and one on a cluster have in common: their parts, and how those act."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import RLock
from typing import ClassVar, Generic, Protocol, TypeVar

from lab.errors import CannotRun, NotWithin, SubstrateError
from lab.substrates import scraped
from lab.substrates.abilities import CHILD_WITHIN_S, Breach
from lab.substrates.containers import watched
from lab.substrates.containers.identity import identity
from lab.substrates.containers.runner import Runner
from lab.substrates.containers.stack import Stack
from lab.substrates.local.instance import Instance
from lab.substrates.plan import Plan, Role
from lab.substrates.protocol import Endpoints, Log
from lab.substrates.provider import Say, silent
from lab.wait import eventually


class Part(Protocol):
    """One process of a role, and all below it."""

    def pause(self) -> None:
        """Stop all of it."""

    def resume(self) -> None:
        """Let it go on."""

    def execute(self, *command: str) -> str:
        """Run a command beside it; return what that printed.

        Raises:
            SubstrateError: it failed.
        """
        ...


P = TypeVar("P", bound=Part)


class Contained(Runner, Generic[P]):
    """Public images and the system's own, with most abilities of the protocol.

    What it cannot do: share its files or its loopback with this machine, let its Prometheus scrape
    what runs outside, and measure memory by process. The instance must be claimed.
    """

    name: str
    kill_one_child: ClassVar[str]
    """What a shell in a worker runs to kill one child of it; it fails if there is none."""

    def __init__(self, instance: Instance, say: Say = silent) -> None:
        """Prepare; starts nothing."""
        super().__init__()
        self._instance = instance
        self._say = say
        self._lab = identity(instance)
        self._lock = RLock()  # of all below: faults act from their own threads
        self._parts: dict[str, P] = {}
        self._stack: Stack | None = None
        self._paused: set[str] = set()

    @abstractmethod
    def up(self, plan: Plan) -> Endpoints:
        """Start everything; return once every role has answered."""

    @abstractmethod
    def down(self) -> None:
        """End everything at once: its data is no longer needed."""

    @abstractmethod
    def log_of(self, name: str, part: P) -> Log:
        """What a part has written so far."""

    def logs(self, role: Role | None = None) -> list[Log]:
        """The logs of a role, one for each process it ever had; of everything if None."""
        with self._lock:
            known = dict(self._parts)
        kept = {path.stem: path for path in self._instance.logs.glob("*.log")}
        found = {name: Log(name, partial(_content, path)) for name, path in kept.items()}
        found |= {name: self.log_of(name, part) for name, part in known.items()}
        if self._client is not None:
            with suppress(SubstrateError):  # the runner has gone, and what it knew with it
                found |= {each.name: each for each in self.program_logs()}
        wanted = f"{role}-" if role else ""
        return [log for name, log in sorted(found.items()) if name.startswith(wanted)]

    def pause(self, role: Role, index: int = 0) -> None:
        """Stop all processes of a part."""
        self._of(role, index).pause()
        self._note_paused(f"{role}-{index}", paused=True)

    def resume(self, role: Role, index: int = 0) -> None:
        """Let them go on."""
        self._of(role, index).resume()
        self._note_paused(f"{role}-{index}", paused=False)

    def kill_child(self, role: Role, index: int = 0) -> None:
        """SIGKILL for one child of a part's main process."""
        part = self._of(role, index)

        def kill() -> bool:
            part.execute("sh", "-c", self.kill_one_child)
            return True

        what = f"a child of {role}-{index} to kill"
        try:
            eventually(what, kill, within_s=CHILD_WITHIN_S, tolerate=(SubstrateError,))
        except NotWithin as error:
            raise SubstrateError(str(error)) from error

    def _refuse(self, plan: Plan) -> None:
        """Refuse what only labs of processes have.

        Raises:
            CannotRun: the plan asks for it.
            SubstrateError: the lab is up already.
        """
        if self._stack is not None:
            raise SubstrateError("the lab is up already: call down() first")
        for asked, what in (
            (plan.flower, "Flower"),
            (plan.dashboards is not None, "Grafana"),
            (plan.brokers > 1, "a cluster of brokers"),
        ):
            if asked:
                raise CannotRun(
                    f"the {self.name} substrate does not run {what}; the local one does"
                )

    def _up(self) -> Stack:
        if self._stack is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._stack

    def _of(self, role: Role, index: int) -> P:
        self._up()
        with self._lock:
            found = self._parts.get(f"{role}-{index}")
        if found is None:
            raise SubstrateError(f"there is no {role}-{index} in this lab")
        return found

    def having(self, role: Role) -> int:
        """How many parts a role has, those that were ended among them."""
        self._up()
        with self._lock:
            return sum(name.startswith(f"{role}-") for name in self._parts)

    def note_breaches(self, breaches: list[Breach]) -> None:
        """Write down which faults are at work, for others."""
        self._instance.change(breaches=breaches)

    def _workers(self, role: Role) -> int:
        """How many workers there are.

        Raises:
            SubstrateError: it is another role: those do not scale.
        """
        if role is not Role.WORKER:
            raise SubstrateError(f"the {self.name} substrate scales workers only, not {role}")
        return self.having(role)

    def _note_paused(self, name: str, *, paused: bool) -> None:
        with self._lock:
            (self._paused.add if paused else self._paused.discard)(name)
            self._instance.change(paused=sorted(self._paused))

    def _wait_until_scraped(self, stack: Stack, log: str) -> None:
        """Return once Prometheus has seen every part.

        Args:
            log: how to read what Prometheus has to say.
        """
        with self._lock:
            parts = [*self._parts]
        scraped.wait_until_scraped(
            f"http://{stack.here(watched.PROMETHEUS, watched.PROMETHEUS_PORT)}",
            [(job, name) for name in parts for job, _ in watched.jobs_of(name)],
            log,
        )

    def _report(self, name: str, seconds: float) -> None:
        stack = self._up()
        ports = [here for (of, _), here in stack.ports.items() if of == name]
        where = f" on port {ports[0]}" if ports else ""
        self._say(f"{name}{where}: up after {seconds:.1f} s")


def _content(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
