"""What commands and fixtures need of a kind of substrate: open one, and perhaps keep one up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lab.substrates.plan import Plan
from lab.substrates.protocol import Endpoints, Substrate

Say = Callable[[str], None]
"""Called with each line of progress."""
Strike = Callable[[str, Mapping[str, Any]], AbstractContextManager[None]]
"""Breaks a lab by a fault's name and parameters; cures it on exit."""
Striker = Callable[[Substrate, Endpoints], Strike]
"""Gives the `Strike` of a lab that is up. Faults are above this layer, so it is handed in."""


def silent(line: str) -> None:
    """Print nothing."""


class Provider(Protocol):
    """One kind of substrate."""

    name: str

    def opened(self, lab: str, base: Path, say: Say = silent) -> AbstractContextManager[Substrate]:
        """A substrate of one's own, not up yet; nothing is left of it after the block.

        Args:
            base: a folder for what it keeps on this machine meanwhile.

        Raises:
            CannotRun: the name is in use, or does not fit.
        """
        ...

    def guarded(self, lab: str, work: Callable[[Substrate], int], say: Say = silent) -> int:
        """Run `work` on a substrate of one's own so that nothing outlives it, however it ends.

        Call it from the main thread, before other threads exist.

        Returns:
            The exit code of `work`; 128 and the signal's number if a signal ended it.

        Raises:
            CannotRun: the name is in use, or does not fit.
        """
        ...


@runtime_checkable
class Pools(Protocol):
    """Can keep what is slow to start from one lab of this process to the next."""

    def pooled(self, base: Path) -> AbstractContextManager[Provider]:
        """A provider for the block whose `opened` labs start sooner; `base` has what is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """A lab that is kept up.

    Attributes:
        endpoints: None while it starts.
        since: when it began, seconds since the epoch.
        places: where its logs and passwords are, for people.
    """

    name: str
    endpoints: Endpoints | None
    since: float
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """One process in a status; `state` is `up`, `paused` or `gone`.

    Attributes:
        since: ISO 8601, empty if it has gone.
        memory_mb: of the process and all below it.
    """

    name: str
    state: str
    pid: int
    ports: list[int]
    since: str
    memory_mb: int


@dataclass(frozen=True, slots=True)
class Status:
    """How a lab is. `verdict` is `up`, `degraded` (also while it starts or ends) or `none`."""

    name: str
    verdict: str
    phase: str
    lines: list[Line]

    def as_dict(self) -> dict[str, object]:
        """As JSON."""
        return asdict(self)


@runtime_checkable
class Keeps(Protocol):
    """Can keep a lab up between two commands."""

    def start(self, lab: str, plan: Plan, say: Say) -> Kept:
        """Start a lab and leave it running.

        Raises:
            CannotRun: another living lab has this name.
            SubstrateError: it did not come up.
        """
        ...

    def hold(self, lab: str, plan: Plan, say: Say, striker: Striker) -> int:
        """Keep a lab until a signal asks for its end; return the exit code."""
        ...

    def stop(self, lab: str) -> bool:
        """End a lab, or sweep what a dead one has left; say whether there was anything to end.

        Raises:
            SubstrateError: it did not end in time.
        """
        ...

    def status(self, lab: str) -> Status:
        """Look at a lab from outside."""
        ...

    def labs(self, *, alive: bool = True) -> list[Kept]:
        """Every lab that is up or starting; the dead ones that left something, too, if asked."""
        ...

    def attach(self, lab: str) -> Substrate:
        """A lab that is kept, to be used as it is; it is `Shared`. Says at `up` if there is none.

        Raises:
            CannotRun: the name does not fit.
        """
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A program to run: its path and arguments, and its whole environment, passwords included."""

    argv: list[str]
    env: dict[str, str] = field(repr=False)


@runtime_checkable
class HasTools(Protocol):
    """Knows how to reach a kept lab's private services by their own tools."""

    tools: tuple[str, ...]

    def call(self, lab: str, tool: str, arguments: list[str]) -> Call:
        """How to run a tool.

        Raises:
            CannotRun: there is no such tool, it is not installed, or the lab is not up.
        """
        ...


GOOD, WARNING, MISSING = "good", "warning", "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a machine has or lacks.

    Attributes:
        state: `good`, `warning` (the lab runs without it) or `missing`.
        found: what there is.
        cure: the command or the step that helps; empty if all is well.
    """

    what: str
    state: str
    found: str
    cure: str = ""


@runtime_checkable
class Examines(Protocol):
    """Can say what a machine has and lacks for this substrate."""

    def examine(self) -> list[Finding]:
        """Look, and change nothing."""
        ...
