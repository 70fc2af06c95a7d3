"""How a lab and its machine are named where several machines may share an engine or a cluster."""

from __future__ import annotations

import hashlib
import os
import platform

from lab.substrates.local.instance import Instance

LABEL = "missing-table.lab"
FOLDER_LABEL = "missing-table.folder"
MACHINE_LABEL = "missing-table.machine"


def identity(instance: Instance) -> str:
    """The name of a lab among all labs there; its parts have names that begin with it."""
    folder = hashlib.blake2b(f"{machine()}{instance.folder}".encode(), digest_size=4)
    return f"lab-{instance.name}-{folder.hexdigest()}"


def marks(instance: Instance) -> dict[str, str]:
    """What marks all that is made as part of this lab."""
    return {
        LABEL: identity(instance),
        FOLDER_LABEL: str(instance.folder),
        MACHINE_LABEL: machine(),
    }


def machine() -> str:
    """Names this machine and user."""
    return f"{platform.node()}-{os.getuid()}"
