"""Where on a cluster a lab is, and what can be run there beside it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path

from lab.substrates.kubernetes import jobs
from lab.substrates.kubernetes.kubectl import context
from lab.substrates.kubernetes.objects import PART
from lab.substrates.on_cluster import Job, Place
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

    def run_job(self, job: Job, into: Path, say: Callable[[str], None]) -> int:
        """Run a program of an image in the namespace to its end; return its exit code."""
        return jobs.run(self.namespace(), job, into, say)
