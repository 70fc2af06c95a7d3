"""The Kubernetes substrate as commands and fixtures use it."""

from __future__ import annotations

from lab.substrates.containers.leftovers import Leftovers
from lab.substrates.containers.provider import ContainersProvider
from lab.substrates.kubernetes import doctor, kubectl
from lab.substrates.kubernetes import leftovers as what_is_left
from lab.substrates.kubernetes.kubernetes import Kubernetes
from lab.substrates.local.instance import BASE, Instance
from lab.substrates.protocol import Substrate
from lab.substrates.provider import Finding, Say

PLACE = BASE / "_kubernetes"
"""What such labs keep on this machine: a lock, a state, logs. No lab of processes has this name."""


class KubernetesProvider(ContainersProvider):
    """Labs on the cluster of the context that the user has named."""

    name = Kubernetes.name
    substrate: type[Substrate] = Kubernetes

    place = PLACE
    leftovers: Leftovers = what_is_left

    def make(self, instance: Instance, say: Say) -> Kubernetes:
        """A lab, not up yet."""
        return Kubernetes(instance, say)

    def need(self) -> None:
        """Do nothing if the cluster of the named context answers."""
        kubectl.need()

    def examine(self) -> list[Finding]:
        """The cluster, and what a lab uses of it."""
        return doctor.examine()
