"""What only a lab on a cluster has: a place there, and programs of other images beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from lab.substrates.protocol import Endpoints


@dataclass(frozen=True, slots=True)
class Place:
    """Where on a cluster a lab is, for the cluster's own tools.

    Attributes:
        context: of kubectl.
        namespace: that of the lab alone.
        label: of each pod and its controller; its value is the part, such as `worker-0`.
    """

    context: str
    namespace: str
    label: str


@runtime_checkable
class OnACluster(Protocol):
    """Runs in a namespace of a cluster, where the cluster's own tools can break it."""

    def where(self) -> Place:
        """Which cluster and namespace."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """A program of an image.

    Attributes:
        settings: variables of its environment; secrets may be among them.
        take: a folder that it leaves in its working folder.
        within_s: how long it may last.
    """

    name: str
    image: str
    command: tuple[str, ...]
    settings: Mapping[str, str] = field(repr=False)
    take: str
    within_s: float


@runtime_checkable
class RunsJobs(Protocol):
    """Can run a program of an image beside the system, within its network."""

    def endpoints_within(self) -> Endpoints:
        """Where everything answers for such a program."""
        ...

    def run_job(self, job: Job, into: Path, say: Callable[[str], None]) -> int:
        """Run it to its end; return its exit code. Nothing of it is left.

        It may begin a moment before the network lets it pass, so it has to try more than once.

        Args:
            into: where `take` is copied to; nothing is if the program left none.
            say: called with each line that it prints.

        Raises:
            SubstrateError: it could not start, or did not end in time.
        """
        ...
