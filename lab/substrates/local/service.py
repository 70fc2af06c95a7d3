"""A service, as data: what it needs, how it is launched, how to see that it answers."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab.substrates.local.instance import Instance
from lab.substrates.local.ports import Ports
from lab.substrates.local.processes import Command
from lab.substrates.plan import Link, Plan, Role

_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR", "USER")


@dataclass(frozen=True, slots=True)
class Launch:
    """How a service starts.

    Attributes:
        serve: the command that stays.
        prepare: commands that must end well before it, one after the other; first time only.
        ports: on which it will listen, the main one first.
        stale: files that are removed before each start, such as a sign of readiness.
    """

    serve: Command
    prepare: tuple[Command, ...] = ()
    ports: tuple[int, ...] = ()
    stale: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """One process of a role, or a helper that no role names.

    Attributes:
        name: `<role>-<index>`; names its log.
        needs: names of the services that must answer before it is launched.
        configure: picks ports, writes files, returns the launch; called again if another program
            took a port.
        answers: whether it does its work; False or any error means "not yet". Takes 3 s at most.
        within_s: how long it may take from launch to answer.
    """

    name: str
    configure: Callable[[], Launch]
    answers: Callable[[], bool]
    needs: tuple[str, ...] = ()
    within_s: float = 120


@dataclass(slots=True)
class Ground:
    """What the services of one lab share while they are set up.

    Attributes:
        ports: by what listens on them, filled in as services are configured.
        ways: the ports of relays, by link and the service that they lead to.
        prepared: the data folder of a database with roles and tables, to be copied; without one it
            is made from nothing.
    """

    instance: Instance
    plan: Plan
    free: Ports
    ports: dict[str, int] = field(default_factory=dict)
    ways: dict[tuple[Link, str], int] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict, repr=False)
    prepared: Path | None = None

    def password(self, user: str) -> str:
        """The password of one user of one service, made at the first call."""
        return self.passwords.setdefault(user, secrets.token_urlsafe(24))

    def listen(self, *names: str) -> tuple[int, ...]:
        """Take a fresh port for each name, replacing any it had."""
        for name in names:
            self.ports[name] = self.free.take()
        return tuple(self.ports[name] for name in names)

    def way(self, to: str, link: Link | None) -> int:
        """The port that leads to `to`: its own, or that of the link's relay if there is one."""
        relayed = self.ways.get((link, to)) if link else None
        return relayed or self.ports[to]

    def folder(self, name: str) -> Path:
        """A folder of this lab for one service, made if it is missing."""
        made = self.instance.folder / name
        made.mkdir(mode=0o700, exist_ok=True)
        return made


def name_of(role: Role, index: int = 0) -> str:
    """The name of the service that is process `index` of `role`."""
    return f"{role}-{index}"


def write_private(path: Path, content: str, mode: int = 0o600) -> Path:
    """Write a file that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(content)
    return path


def environment(**more: str) -> dict[str, str]:
    """What every program needs of the caller's environment, and `more`.

    Not the rest: settings of another deployment, or of the machine's own services, must not get in.
    """
    return {**{name: os.environ[name] for name in _PASSED_ON if name in os.environ}, **more}
