"""A database that is ready but for its passwords: made once, and copied by each lab that starts.

    .lab/_prepared/database-<digest>/    mode 700
        data/      a PostgreSQL data folder; its roles have no passwords yet, so nobody gets in
        contents   a digest of the names, sizes and times of all files in `data`

The folder's name is the digest of everything that the data depends on, so a change of any of it
makes another. Before each use the data is compared with its digest, and made anew if somebody has
touched it. Where it cannot be made or kept, a lab makes its database from nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from lab.errors import LabError, SubstrateError
from lab.paths import PROJECT
from lab.substrates.local import cleaning, database, keeper, programs, roles
from lab.substrates.local.instance import BASE, Instance
from lab.substrates.local.ports import Ports
from lab.substrates.local.processes import Command, Running, Spawner
from lab.substrates.local.service import Ground, Launch
from lab.substrates.local.startup import Rise, bring_up
from lab.substrates.plan import Plan

FOLDER = PROJECT / BASE / "_prepared"
"""Shared by all labs of this machine's copy of the project. No lab's name begins so."""

MIGRATIONS = PROJECT / "system/backend/migrations"
_CONTENTS = "contents"
COMMAND_S = 180.0
STOP_S = 20.0


def prepared(folder: Path = FOLDER) -> Path | None:
    """The data folder to copy, made now where it is missing, old or damaged.

    Returns:
        None where it cannot be made or kept.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder / "busy"):
            ready = folder / f"database-{_digest(_inputs())}"
            if not _is_whole(ready):
                for old in folder.glob("database-*"):
                    shutil.rmtree(old)
                _make(ready)
            return ready / "data"
    except (LabError, OSError, subprocess.SubprocessError):
        return None


def _inputs() -> Iterator[bytes]:
    """Everything that the data depends on."""
    program = programs.need("postgres")
    yield program.encode()
    yield subprocess.run([program, "--version"], capture_output=True, check=True).stdout
    for source in sorted([*MIGRATIONS.rglob("*.py"), Path(database.__file__), Path(__file__)]):
        yield source.read_bytes()


def _digest(pieces: Iterable[bytes]) -> str:
    found = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        found.update(len(piece).to_bytes(8, "big"))
        found.update(piece)
    return found.hexdigest()


def _contents(data: Path) -> Iterator[bytes]:
    """What tells whether anybody has touched the data: every write changes a file's times."""
    for path in sorted(data.rglob("*")):
        found = path.lstat()
        times = (found.st_mtime_ns, found.st_ctime_ns)
        yield repr((str(path.relative_to(data)), found.st_size, found.st_mode, *times)).encode()


def _is_whole(ready: Path) -> bool:
    try:
        return (ready / _CONTENTS).read_text("ascii") == _digest(_contents(ready / "data"))
    except OSError:
        return False


def _make(ready: Path) -> None:
    """Start a server, migrate its database, end it in order, and keep its data."""
    cleaning.sweep_dead(ready.parent)
    instance = Instance.named(f"prepare-{os.getpid()}", ready.parent)
    with keeper.in_process(instance), closing(Spawner()) as spawner, ExitStack() as ending:
        ports = Ports()
        ending.callback(ports.release)
        ground = Ground(instance, Plan(seed=0, matches=0), ports)

        def started(name: str, process: Running, launch: Launch) -> None:
            ending.callback(process.kill)
            servers.append(process)

        servers: list[Running] = []
        services = database.services(ground)
        bring_up(Rise(each, spawner, instance.logs, started) for each in services)
        run(roles.migration(ground))
        server = servers[-1]
        server.send(server.command.stop)
        if not server.wait(STOP_S):
            raise SubstrateError("the server that prepares a database does not end")
        run(database.last_words(ground))
        draft = instance.folder / "draft"
        shutil.copytree(database.data(ground), draft / "data")
        (draft / _CONTENTS).write_text(_digest(_contents(draft / "data")), "ascii")
        draft.rename(ready)


def run(command: Command) -> None:
    """Run a command to its end.

    Raises:
        subprocess.SubprocessError: it failed, or took longer than `COMMAND_S`.
    """
    subprocess.run(
        command.argv,
        env=dict(command.env),
        cwd=command.cwd,
        user=command.user,
        input=command.stdin.encode(),
        capture_output=True,
        timeout=COMMAND_S,
        check=True,
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time look and make; the kernel gives the lock back, whatever happens."""
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
