"""Where on a cluster a lab is, and what can be run there beside it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.substrates.abilities import Place
from lab.substrates.kubernetes import jobs
from lab.substrates.kubernetes.kubectl import context
from lab.substrates.kubernetes.objects import PART
from lab.substrates.protocol import Endpoints


class InNamespace:
    """Makes a substrate `OnACluster`; it `RunsJobs`."""

    @abstractmethod
    def namespace(self) -> str:
        """That of the lab alone."""

    @property
    @abstractmethod
    def endpoints(self) -> Endpoints:
        """Where everything answers."""

    def where(self) -> Place:
        """Which cluster and namespace."""
        return Place(context(), self.namespace(), PART)

    def endpoints_within(self) -> Endpoints:
        """Where everything answers for a program in the namespace."""
        return jobs.within(self.endpoints)

    def run_job(
        self,
        name: str,
        image: str,
        *command: str,
        settings: Mapping[str, str],
        take: str,
        into: Path,
        say: Callable[[str], None],
        within_s: float,
    ) -> int:
        """Run a program of an image in the namespace to its end; return its exit code."""
        return jobs.run(
            self.where().namespace,
            name,
            image,
            command,
            settings=settings,
            take=take,
            into=into,
            say=say,
            within_s=within_s,
        )
