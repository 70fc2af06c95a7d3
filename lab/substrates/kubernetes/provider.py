"""The Kubernetes substrate as commands and fixtures use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lab.errors import LabError
from lab.substrates.containers.identity import identity
from lab.substrates.containers.leftovers import Leftovers, none_left
from lab.substrates.containers.provider import ContainersProvider
from lab.substrates.kubernetes import doctor, kubectl, seen
from lab.substrates.kubernetes import leftovers as what_is_left
from lab.substrates.kubernetes.attached import Attached
from lab.substrates.kubernetes.kubernetes import Kubernetes
from lab.substrates.local import detached
from lab.substrates.local.instance import BASE, Instance, instances
from lab.substrates.local.keeper import END_GRACE_S
from lab.substrates.plan import Plan
from lab.substrates.protocol import Substrate
from lab.substrates.provider import (
    Beside,
    Finding,
    Kept,
    Say,
    Status,
    Striker,
    nothing,
)

PLACE = BASE / "_kubernetes"
"""What such labs keep on this machine: a lock, a state, logs. No lab of processes has this name."""
ENDS_WITHIN_S = END_GRACE_S + what_is_left.GONE_WITHIN_S + 30
"""A keeper waits for its work, and then until the namespace is gone."""


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
        return doctor.examine(self.place)

    def start(self, lab: str, plan: Plan, say: Say) -> Kept:
        """Start a keeper that outlives this command."""
        instance = Instance.named(lab, self.place)
        self.need()
        # Its own settings are in the pods; kubectl may need any of ours to log in.
        detached.start(instance, ["hold", lab, "--substrate", self.name], plan, say, os.environ)
        return detached.kept(instance)

    def hold(
        self, lab: str, plan: Plan, say: Say, striker: Striker, beside: Beside = nothing
    ) -> int:
        """Keep a lab until a signal asks for its end."""
        instance = Instance.named(lab, self.place)
        for name in self.sweep():
            say(f"removed what the dead lab {name!r} had left")
        try:
            return detached.hold(instance, plan, say, striker, beside, self._made)
        finally:
            with suppress(LabError):  # what resists is swept by the next lab
                self.leftovers.remove(identity(instance))

    def stop(self, lab: str) -> bool:
        """End a lab, or sweep what a dead one has left."""
        ended = detached.stop(Instance.named(lab, self.place), ENDS_WITHIN_S)
        return bool(self.sweep()) or ended

    def status(self, lab: str) -> Status:
        """Look at a lab from outside."""
        return seen.status(Instance.named(lab, self.place))

    def labs(self, *, alive: bool = True) -> list[Kept]:
        """The labs of this folder that are on a cluster."""
        found = instances(self.place)
        return [detached.kept(each) for each in found if each.is_alive() or not alive]

    def attach(self, lab: str) -> Attached:
        """A lab that another process keeps."""
        return Attached(Instance.named(lab, self.place))

    @contextmanager
    def _made(self, instance: Instance, say: Say) -> Iterator[Kubernetes]:
        with none_left(instance, self.leftovers):
            yield self.make(instance, say)
