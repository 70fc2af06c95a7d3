"""A private PostgreSQL server: TCP on this machine only, SCRAM, as durable as in production.

PostgreSQL refuses to run as root. Then it runs as an unprivileged user, with its data in a folder
that this user can reach, wherever the lab's own folder is.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg

from lab.errors import CannotRun
from lab.substrates.local import programs
from lab.substrates.local.instance import Instance
from lab.substrates.local.ports import HOST
from lab.substrates.local.processes import Command
from lab.substrates.local.service import (
    Ground,
    Launch,
    Service,
    environment,
    name_of,
    write_private,
)
from lab.substrates.plan import Link, Role

DATABASE = name_of(Role.DATABASE)
ELSEWHERE = Path("/var/tmp")  # noqa: S108 - a folder of one's own is made in it
ELSEWHERE_PREFIX = "missing-table-lab-"
_OWNING_INSTANCE = "owner"
_SUPERUSER = "postgres"
_OWNER = "backend"
_MONITOR = "monitor"
_NAME = "missing_table"
_CONFIGURATION_FILE = "postgresql.conf"
_CREATE = (
    f"CREATE ROLE {_OWNER} LOGIN",
    f"CREATE DATABASE {_NAME} OWNER {_OWNER}",
    f"CREATE ROLE {_MONITOR} LOGIN IN ROLE pg_monitor",
)
_UNPRIVILEGED = ("postgres", "nobody")
_SHMID_LINE = 6  # of postmaster.pid, counted from 0: "<key> <id>" of the System V segment
_IPC_RMID = 0

_CONFIGURATION = """
listen_addresses = '{host}'
port = {port}
unix_socket_directories = ''
max_connections = 100
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] '
"""


def url(ground: Ground, link: Link | None = None) -> str:
    """The URL of the system's database, as the owner of its tables, with the password.

    By way of `link` if given.
    """
    port = ground.way(DATABASE, link)
    return f"postgresql://{_OWNER}:{ground.password(_OWNER)}@{HOST}:{port}/{_NAME}"


def monitor(ground: Ground) -> dict[str, str]:
    """How postgres_exporter logs in, by its environment: as a user that sees statistics only."""
    return {
        "DATA_SOURCE_URI": f"{HOST}:{ground.ports[DATABASE]}/{_NAME}?sslmode=disable",
        "DATA_SOURCE_USER": _MONITOR,
        "DATA_SOURCE_PASS": ground.password(_MONITOR),
    }


def services(ground: Ground) -> list[Service]:
    """The server, with an empty database and a user that owns it."""
    return [Service(DATABASE, configure=lambda: _server(ground), answers=lambda: _answers(ground))]


def unprivileged_user() -> str | None:
    """The user as which PostgreSQL runs: None for the caller, else a name.

    Raises:
        CannotRun: the caller is root, and the machine has no other user for it.
    """
    if os.geteuid() != 0:
        return None
    for name in _UNPRIVILEGED:
        try:
            if pwd.getpwnam(name).pw_uid != 0:
                return name
        except KeyError:
            continue
    raise CannotRun(
        "PostgreSQL does not run as root, and there is no user postgres or nobody to run it as; "
        "run the lab as an ordinary user"
    )


def _server(ground: Ground) -> Launch:
    (port,) = ports = ground.listen(DATABASE)
    user = unprivileged_user()
    home = _home(ground, user)
    data = home / "data"
    # The configuration is written again at each try; the data folder is made once.
    configuration = write_private(
        home / _CONFIGURATION_FILE, _CONFIGURATION.format(host=HOST, port=port)
    )
    password = write_private(home / "password", ground.password(_SUPERUSER))
    if data.exists():  # of a server that this one replaces
        release_shared_memory(home)
        shutil.rmtree(data)
    if user is not None:
        for each in (configuration, password):
            shutil.chown(each, user)
    if ground.prepared is not None:
        make = _copy(ground.prepared, home)
    else:
        initdb = (
            *("-D", str(data), "-U", _SUPERUSER, "--pwfile", str(password)),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"),
        )
        make = [_command(home, "initdb", *initdb), _alone(home, _CREATE)]
    prepare = (*make, _alone(home, _passwords(ground)))
    return Launch(_command(home, "postgres", *_settings(home)), prepare, ports)


def _copy(prepared: Path, home: Path) -> list[Command]:
    """Copy a prepared data folder, and give it to the user that the server runs as."""
    data, user = str(home / "data"), unprivileged_user()
    commands = [("cp", "-R", str(prepared), data), ("chown", "-R", user, data) if user else ()]
    return [Command(each, environment(), cwd=home) for each in commands if each]


def last_words(ground: Ground) -> Command:
    """Takes the passwords out of the data of a server that has ended."""
    forget = [f"ALTER ROLE {name} PASSWORD NULL" for name in (_SUPERUSER, _OWNER, _MONITOR)]
    return _alone(_home(ground, unprivileged_user()), forget)


def data(ground: Ground) -> Path:
    """The data folder of its server."""
    return _home(ground, unprivileged_user()) / "data"


def _command(home: Path, program: str, *arguments: str, stdin: str = "") -> Command:
    return Command(
        (programs.postgres(program), *arguments),
        environment(HOME=str(home), LC_ALL="C", TZ="UTC"),
        cwd=home,
        user=unprivileged_user(),
        stdin=stdin,
        stop=signal.SIGINT,  # "fast": ends sessions, then writes everything down
        end=signal.SIGQUIT,  # "immediate": writes nothing down, but gives back its memory
    )


def _settings(home: Path) -> tuple[str, ...]:
    return ("-D", str(home / "data"), "-c", f"config_file={home / _CONFIGURATION_FILE}")


def _alone(home: Path, statements: Sequence[str]) -> Command:
    """Statements for a server that does not listen: no network, nothing on a command line."""
    written = "".join(f"{each};\n\n" for each in statements)
    return _command(home, "postgres", "--single", "-j", *_settings(home), "postgres", stdin=written)


def _home(ground: Ground, user: str | None) -> Path:
    """The folder of configuration and data, which `user` owns and can reach."""
    if user is None:
        return ground.folder("database")
    state = ground.instance.read()
    known = state.elsewhere if state else []
    if known:
        return Path(known[0])
    prefix = f"{ELSEWHERE_PREFIX}{ground.instance.name}-"
    home = Path(tempfile.mkdtemp(prefix=prefix, dir=ELSEWHERE))
    ground.instance.change(elsewhere=[str(home)])
    write_private(home / _OWNING_INSTANCE, str(ground.instance.folder))
    shutil.chown(home, user)
    return home


def abandoned() -> list[Path]:
    """The homes elsewhere whose instance has gone without removing them: it was killed."""
    found = []
    for home in ELSEWHERE.glob(f"{ELSEWHERE_PREFIX}*"):
        owner = home / _OWNING_INSTANCE
        # Every user may make folders there. Only what this user wrote is trusted.
        if home.is_symlink() or not owner.is_file() or owner.stat().st_uid != os.geteuid():
            continue
        folder = Path(owner.read_text("utf-8"))
        if not Instance(folder.name, folder).is_alive() and not _is_served(home):
            found.append(home)
    return found


def _is_served(home: Path) -> bool:
    """Whether a server still runs on the data in `home`."""
    try:
        os.kill(int((home / "data/postmaster.pid").read_text().splitlines()[0]), 0)
    except (OSError, IndexError, ValueError):
        return False
    return True


def _passwords(ground: Ground) -> list[str]:
    return [
        f"ALTER ROLE {name} PASSWORD '{ground.password(name)}'"
        for name in (_SUPERUSER, _OWNER, _MONITOR)
    ]


def _answers(ground: Ground) -> bool:
    with psycopg.connect(url(ground), connect_timeout=2) as connection:
        return connection.execute("select 1").fetchone() == (1,)


def release_shared_memory(folder: Path) -> None:
    """Give back the segment that a killed server has left; an ended server leaves none.

    Args:
        folder: the home of a server that has ended, or the parent of its home.
    """
    for record in (folder / "data/postmaster.pid", folder / "database/data/postmaster.pid"):
        try:
            identity = int(record.read_text().splitlines()[_SHMID_LINE].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if sys.platform == "linux":
            ctypes.CDLL(None).shmctl(identity, _IPC_RMID, None)
