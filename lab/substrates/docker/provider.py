"""The Docker substrate as commands and fixtures use it."""

from __future__ import annotations

from lab.errors import CannotRun
from lab.substrates.containers.images import SYSTEM, names
from lab.substrates.containers.leftovers import Leftovers
from lab.substrates.containers.provider import ContainersProvider
from lab.substrates.docker import engine, images
from lab.substrates.docker import leftovers as what_is_left
from lab.substrates.docker.docker import Docker
from lab.substrates.local.instance import BASE, Instance
from lab.substrates.protocol import Substrate
from lab.substrates.provider import GOOD, MISSING, WARNING, Finding, Say

PLACE = BASE / "_docker"
"""What such labs keep on this machine: a lock, a state, logs. No lab of processes has this name."""


class DockerProvider(ContainersProvider):
    """Labs in containers of the engine that the user's `docker` talks to."""

    name = Docker.name
    substrate: type[Substrate] = Docker

    place = PLACE
    leftovers: Leftovers = what_is_left

    def make(self, instance: Instance, say: Say) -> Docker:
        """A lab, not up yet."""
        return Docker(instance, say)

    def need(self) -> None:
        """Do nothing if an engine answers."""
        engine.need()

    def examine(self) -> list[Finding]:
        """The engine, and which images it has."""
        cure = "start Docker, or Docker Desktop"
        try:
            found = [Finding("Docker engine", GOOD, engine.need())]
        except CannotRun as error:
            return [Finding("Docker engine", MISSING, str(error), cure)]
        for part, name in names().items():
            if images.is_there(name):
                found.append(Finding(part, GOOD, name))
            elif part == SYSTEM:
                found.append(Finding(part, MISSING, f"no {name}", "make image"))
            else:
                found.append(Finding(part, WARNING, f"no {name} yet", f"docker pull {name}"))
        return found
