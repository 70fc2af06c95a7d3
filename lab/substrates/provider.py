"""What commands and fixtures need of a kind of substrate: open one, and perhaps keep one up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from lab.substrates.abilities import Breach, Finished
from lab.substrates.plan import Plan
from lab.substrates.protocol import Endpoints, Substrate

CONTEXT = "MISSING_TABLE_KUBE_CONTEXT"
"""The setting that names the cluster, for a substrate on one: a context of the user's kubectl."""

Say = Callable[[str], None]
"""Called with each line of progress."""
Strike = Callable[[str, Mapping[str, Any]], AbstractContextManager[None]]
"""Breaks a lab by a fault's name and parameters; cures it on exit."""
Striker = Callable[[Substrate, Endpoints], Strike]
"""Gives the `Strike` of a lab that is up. Faults are above this layer, so it is handed in."""

Beside = Callable[[], AbstractContextManager[Mapping[str, str]]]
"""What runs beside a lab for as long as it is kept; gives places of it, by their names for people.

It is entered by the process that runs the lab, and before the lab is up."""


def nothing() -> AbstractContextManager[Mapping[str, str]]:
    """Nothing runs beside it."""
    return nullcontext({})


def lacking(substrate: type[Substrate], abilities: Iterable[type]) -> list[str]:
    """The names of those abilities that the labs of a kind lack."""
    return [each.__name__ for each in abilities if not issubclass(substrate, each)]


def silent(line: str) -> None:
    """Print nothing."""


class Provider(Protocol):
    """One kind of substrate.

    Attributes:
        substrate: the class of its labs, which tells their abilities before there is one.
    """

    name: str
    substrate: type[Substrate]

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


@runtime_checkable
class RunsPython(Protocol):
    """Starts this project's programs sooner than Python itself does."""

    def run_python(
        self, *arguments: str, env: Mapping[str, str], cwd: Path, within_s: float
    ) -> Finished:
        """Run `python -m ARGUMENTS…` to its end.

        Raises:
            subprocess.TimeoutExpired: it still ran after `within_s`; then it is killed.
        """
        ...


DASHBOARDS = "dashboards"
"""The place of what a Grafana needs to know of a lab, if one was asked for."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A lab that is kept up.

    Attributes:
        endpoints: None while it starts.
        since: when it began, seconds since the epoch.
        places: where its control room, its logs and passwords are, for people.
        breaches: the faults that are at work.
        doing: the command that it is there for, as `lab up` or `lab phase 3`.
    """

    name: str
    endpoints: Endpoints | None
    since: float
    places: Mapping[str, str] = field(default_factory=dict)
    breaches: list[Breach] = field(default_factory=list)
    doing: str = ""


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
    """How a lab is. `verdict` is `up`, `degraded` (also while it starts or ends) or `none`.

    Attributes:
        breaches: the faults that are at work.
    """

    name: str
    verdict: str
    phase: str
    lines: list[Line]
    breaches: list[Breach] = field(default_factory=list)

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

    def hold(
        self, lab: str, plan: Plan, say: Say, striker: Striker, beside: Beside = nothing
    ) -> int:
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


@runtime_checkable
class Sweeps(Protocol):
    """Can remove what labs have left elsewhere whose process was killed."""

    def sweep(self) -> list[str]:
        """Remove it; return the names of the labs.

        Raises:
            CannotRun: the place where it would be does not answer.
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

    def settings_file(self, lab: str) -> Path:
        """Write what a person's own programs need to know of a lab that is up, for a shell.

        Only its owner can read the file; it goes with the lab.

        Raises:
            CannotRun: the lab is not up.
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
