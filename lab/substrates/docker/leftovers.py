"""What a lab makes on an engine has its label, and goes by that (see `containers.leftovers`)."""

from __future__ import annotations

import shlex
from pathlib import Path

from lab.errors import SubstrateError
from lab.substrates.containers.identity import (
    FOLDER_LABEL,
    LABEL,
    MACHINE_LABEL,
    machine,
    marks,
)
from lab.substrates.docker.engine import docker
from lab.substrates.local.instance import Instance

_TRIES = 3


def labels(instance: Instance) -> list[str]:
    """Options that mark what is made as part of this lab."""
    return [
        word for name, value in marks(instance).items() for word in ("--label", f"{name}={value}")
    ]


def remove(lab: str) -> None:
    """Remove every container, volume and network of a lab.

    Raises:
        SubstrateError: something resists.
    """
    for last in (False,) * (_TRIES - 1) + (True,):
        try:
            for container in _listed("ps", lab):
                docker("rm", "--force", "--volumes", container)
            for volume in _listed("volume", lab):
                docker("volume", "rm", "--force", volume)
            for network in _listed("network", lab):
                docker("network", "rm", network)
        except SubstrateError:  # what two remove at once is missing for one of them
            if last:
                raise
        else:
            return


def sweep() -> list[str]:
    """Remove what labs of this machine have left that are dead; return their names."""
    found: dict[str, str] = {}
    for kind in ("ps", "volume", "network"):
        shown = ["--filter", f"label={MACHINE_LABEL}={machine()}"]
        form = f'{{{{.Label "{LABEL}"}}}} {{{{.Label "{FOLDER_LABEL}"}}}}'
        command = ["ps", "--all"] if kind == "ps" else [kind, "ls"]
        for line in docker(*command, *shown, "--format", form).splitlines():
            lab, _, folder = line.partition(" ")
            found[lab] = folder
    dead = []
    for lab, folder in found.items():
        place = Path(folder)
        if not Instance(place.name, place).is_alive():
            remove(lab)
            dead.append(place.name)
    return sorted(dead)


def removal(lab: str) -> str:
    """The lines of a shell that remove all of a lab."""
    label = shlex.quote(f"label={LABEL}={lab}")
    return f"""
docker ps --all --quiet --filter {label} | xargs -r docker rm --force --volumes
docker volume ls --quiet --filter {label} | xargs -r docker volume rm --force
docker network ls --quiet --filter {label} | xargs -r docker network rm
"""


def _listed(kind: str, lab: str) -> list[str]:
    command = ["ps", "--all"] if kind == "ps" else [kind, "ls"]
    return docker(*command, "--quiet", "--filter", f"label={LABEL}={lab}").split()
