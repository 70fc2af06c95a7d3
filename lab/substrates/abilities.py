"""What a substrate may be able to do beyond running the system, each as an optional protocol.

A fault or a scenario asks by `isinstance` for what it needs, and skips if the substrate lacks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lab.substrates.answering import Answer
from lab.substrates.plan import Link, Plan, Role


@dataclass(frozen=True, slots=True)
class Breach:
    """A fault that is at work in a lab that is kept.

    Attributes:
        number: of this strike, in this lab.
        fault, parameters: what was asked for; parameters as text.
        since, until: seconds since the epoch; `until` is None if it lasts until it is cured.
        by_hand: whether it is held by the keeper; else it ends with the program that asked for it.
        failed: why its cure failed when its time was over; empty otherwise.
    """

    number: int
    fault: str
    parameters: Mapping[str, str]
    since: float
    until: float | None
    by_hand: bool
    failed: str = ""

    def __str__(self) -> str:
        """As one would strike it: `link-cut link=worker-api`."""
        return " ".join([self.fault, *(f"{key}={value}" for key, value in self.parameters.items())])


class Program(StrEnum):
    """A command of the system that people and timers run beside the roles."""

    BACKEND = "system.backend"
    SCRAPER = "system.scraper"
    WORKER = "system.worker"
    DEAD_LETTERS = "system.worker.dead_letters"


@runtime_checkable
class Shared(Protocol):
    """A lab that another process keeps; others may use it at the same time."""

    def kept_plan(self) -> Plan:
        """What runs there."""
        ...

    def struck(self, fault: str, parameters: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Let the keeper break the lab for the block, and cure it, even if the caller is killed."""
        ...


@runtime_checkable
class HoldsFaults(Protocol):
    """A lab that is kept, and stays broken without the one who broke it, until it is cured."""

    def strike(self, fault: str, parameters: Mapping[str, Any], for_s: float | None) -> Breach:
        """Let the keeper break the lab and hold that, also when the caller has gone.

        Args:
            for_s: cured after so many seconds; None: when it is asked for, or the lab ends.

        Raises:
            CannotRun: there is no such fault, or it is at work already.
            SubstrateError: it could not be done, or only half; what was done is cured.
        """
        ...

    def cure(self, fault: str | None) -> list[Breach]:
        """Cure what is held of one fault, or all that is held; return what that was.

        Raises:
            SubstrateError: a cure failed; the others were done.
        """
        ...

    def breaches(self) -> list[Breach]:
        """Every fault that is at work, whoever asked for it, in the order of their begin."""
        ...


@runtime_checkable
class HoldsScale(Protocol):
    """A lab that is kept, and has as many processes as it was told, also without the teller."""

    def scale_for_good(self, role: Role, count: int) -> None:
        """Let the keeper start or politely end processes until the role has `count`.

        Raises:
            SubstrateError: a process did not start or end.
        """
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """The result of a command. `code` is negative if a signal ended it."""

    code: int
    stdout: str
    stderr: str


class Started(Protocol):
    """A command that runs."""

    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it and its children at once."""
        ...

    def wait(self, within_s: float) -> bool:
        """Whether it ended within this time."""
        ...


OUTBOX = "outbox.sqlite"
"""The scraper's outbox in the working folder, unless a setting names another."""


@runtime_checkable
class RunsPrograms(Protocol):
    """Can run commands of the system where the system runs, in one working folder.

    Files are named relative to that folder. `settings` are environment variables over those that
    the program usually has there; None removes one. `wrapper` is a module that starts in place
    of the program and is given its name and arguments.
    """

    def site_url(self) -> str:
        """The address of the league's site, as programs there reach it."""
        ...

    def run(
        self,
        program: Program,
        *arguments: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
        within_s: float = 180.0,
    ) -> Finished:
        """Run a command to its end.

        Raises:
            SubstrateError: it still ran after `within_s`, and was killed.
        """
        ...

    def started(
        self,
        program: Program,
        *arguments: str,
        log: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
    ) -> AbstractContextManager[Started]:
        """Run a command beside the block; it is killed at the end if it still runs then.

        Args:
            log: the name of its log, see `Substrate.logs`.
        """
        ...

    def read(self, file: str, offset: int = 0) -> bytes | None:
        """What a file holds from `offset` on, a bounded piece of it; None if there is no file."""
        ...

    def write(self, file: str, content: bytes) -> None:
        """Make a file, or replace it in one step; it may hold a secret."""
        ...


@runtime_checkable
class SharesFiles(Protocol):
    """Its working folder is one of this machine."""

    def place(self, file: str) -> Path:
        """Where a file of the working folder is."""
        ...


@runtime_checkable
class SharesLoopback(Protocol):
    """Its programs and this process reach each other's servers, at one address."""

    def loopback(self) -> str:
        """The address, such as `127.0.0.1`."""
        ...


@runtime_checkable
class KeepsSeries(Protocol):
    """Can hand over what its Prometheus has recorded."""

    def keep_series(self, folder: Path) -> None:
        """End Prometheus in order and put its series into `folder`, if there is a Prometheus."""
        ...


@runtime_checkable
class Killable(Protocol):
    """Can end one process of a role, the hard way or the polite way, and bring it back."""

    def kill(self, role: Role, index: int = 0) -> None:
        """SIGKILL for the process and all its children. Does nothing if it has ended already."""
        ...

    def terminate(self, role: Role, index: int = 0, *, within_s: float = 60) -> None:
        """Ask the process to end, and wait until it has.

        Raises:
            SubstrateError: it still runs after `within_s`.
        """
        ...

    def start(self, role: Role, index: int = 0) -> None:
        """Start the process again with its data, and wait until it answers.

        Does nothing if it runs already, so this also cures a half-applied fault.
        """
        ...


@runtime_checkable
class Pausable(Protocol):
    """Can stop a process without ending it: it keeps its connections and says nothing."""

    def pause(self, role: Role, index: int = 0) -> None:
        """Stop the process and all its children where they are."""
        ...

    def resume(self, role: Role, index: int = 0) -> None:
        """Let them continue. Does nothing if they do already."""
        ...


@runtime_checkable
class Scalable(Protocol):
    """Can change how many processes a role has."""

    def scale(self, role: Role, count: int) -> None:
        """Start or politely end processes until the role has `count`."""
        ...


@runtime_checkable
class Measurable(Protocol):
    """Can say what its processes use."""

    def memory(self) -> dict[str, int]:
        """Bytes of resident memory by `<role>-<index>`, children included; living ones only."""
        ...


CHILD_WITHIN_S = 60.0
"""A worker that lost its broker ends its children, and makes new ones once it is connected."""


@runtime_checkable
class ChildKillable(Protocol):
    """Can end one pool child of a worker, as the system does where memory runs out."""

    def kill_child(self, role: Role, index: int = 0) -> None:
        """SIGKILL for one child of the process; the process itself goes on.

        A worker has none while it connects to its broker anew, so one is waited for.

        Raises:
            SubstrateError: it had no child for a minute.
        """
        ...


@runtime_checkable
class ParentKillable(Protocol):
    """Can end a worker alone and leave its pool children behind, as it is where memory runs out."""

    def kill_parent(self, role: Role, index: int = 0) -> None:
        """SIGKILL for the process alone; its children go on, and find out by themselves."""
        ...


@runtime_checkable
class Controllable(Protocol):
    """Can run the broker's own tool, for what no network interface of it offers."""

    def control_broker(self, *arguments: str) -> str:
        """Run `rabbitmqctl` with `arguments` and return what it printed.

        Raises:
            SubstrateError: it failed, or took more than a minute.
        """
        ...


@runtime_checkable
class Watchable(Protocol):
    """Can let its Prometheus scrape something that is not a role of the system."""

    def watch(self, job: str, instance: str, address: str) -> None:
        """Scrape `http://<address>/metrics` from now on, if there is a Prometheus."""
        ...


@runtime_checkable
class Partitionable(Protocol):
    """Can break a link between two roles while both of them run. One breach replaces another."""

    def cut(self, link: Link, node: int | None = None) -> None:
        """Close the connections, and refuse new ones; of a cluster, those of one node if given.

        Raises:
            SubstrateError: there is no such node.
        """
        ...

    def stall(self, link: Link) -> None:
        """Let nothing pass; connections stay open, and new ones are taken and get no answer."""
        ...

    def slow(
        self,
        link: Link,
        *,
        latency_s: float = 0.0,
        bytes_per_s: float = 0.0,
        jitter_s: float = 0.0,
    ) -> None:
        """Delay what passes, each way by `latency_s`, and bound each connection's rate (0: not).

        Each piece waits up to `jitter_s` longer, and none overtakes another.
        """
        ...

    def half_open(self, link: Link) -> None:
        """Close the caller's side of each connection and leave the other side open, unaware.

        So it looks when a router has forgotten a connection. New connections are served.
        """
        ...

    def heal(self, link: Link) -> None:
        """Let everything pass again. Does nothing if it does already."""
        ...


@runtime_checkable
class ClustersBroker(Protocol):
    """Can run its broker as a cluster of several nodes."""

    def brokers_max(self) -> int:
        """How many nodes its broker can have."""
        ...


@runtime_checkable
class Answering(Protocol):
    """Can answer the HTTP requests of a link in the place of the role that they are for."""

    def answer(self, link: Link, how: Answer) -> None:
        """Answer every request, and let none pass, until the link is healed; see `Answer`."""
        ...


IN_WORDS: Mapping[type, str] = {
    Killable: "end processes",
    Pausable: "pause processes",
    Scalable: "change the number of workers",
    ChildKillable: "end single pool children",
    ParentKillable: "end a worker without its pool children",
    Controllable: "run the broker's own tool",
    Partitionable: "break links (`--breakable`)",
    Answering: "answer for the API",
    ClustersBroker: "run a broker of several nodes",
}
"""What a substrate can do that has the ability: for people. Those that a fault or an experiment may
need."""
