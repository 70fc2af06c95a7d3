"""A private PostgreSQL for tests: started for the session, gone without a trace afterwards.

Take the fixtures over into a `conftest.py`:

    from system.backend.tests.postgres import database_url, postgres_server  # noqa: F401
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from system.backend import migrations
from system.tests.ports import free_port

START_S = 120
# A run of tests that is killed cannot stop its servers: SIGINT is a fast shutdown.
_END_WITH_US = ["setpriv", "--pdeathsig", "INT"] if shutil.which("setpriv") else []
_SETTINGS = {  # fast rather than safe: what is in it is made up
    "fsync": "off",  # the kernel still has what was written when the server is killed
    # The server's default only: a backend must ask for better, whatever the default is.
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "120",
    "listen_addresses": "127.0.0.1",
}


class Server:
    """A running PostgreSQL; `stop`, `crash` and `start` are for tests of what happens without it.

    Args:
        settings: of the server, more than those of all tests.
    """

    def __init__(self, folder: Path, port: int, settings: Mapping[str, str]) -> None:
        self._settings = {**_SETTINGS, **settings}
        self._data = folder / "data"
        self._folder = folder
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._user = _unprivileged_user()
        if self._user:
            os.chown(folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._run("initdb", "-D", self._data, "-U", "test", "-A", "trust", "-E", "UTF8", "-N")

    def url(self, database: str) -> str:
        """Where a database is."""
        return f"postgresql://test@127.0.0.1:{self._port}/{database}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = {**self._settings, "port": str(self._port), "unix_socket_directories": ""}
        arguments = [f"--{name}={value}" for name, value in options.items()]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*_END_WITH_US, _program("postgres"), "-D", str(self._data), *arguments],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self._folder,
                start_new_session=True,
            )
        self._await_answer()

    def stop(self) -> None:
        """Stop at once, breaking every connection, and wait for the end."""
        if self._process is not None:
            self._run("pg_ctl", "stop", "-D", self._data, "-m", "fast", "-w")
            self._process.wait(START_S)
            self._process = None

    def crash(self) -> None:
        """Kill every process of the server at once, as a power cut would; `start` recovers."""
        assert self._process is not None
        postmaster = psutil.Process(self._process.pid)
        postmaster.suspend()  # it would tell its children to end, or start new ones
        for process in (*postmaster.children(recursive=True), postmaster):
            process.kill()
        self._process.wait(START_S)
        self._process = None

    @contextmanager
    def without(self, kind: str) -> Iterator[None]:
        """One of the server's own processes, as `walwriter`, does nothing in the block."""
        stopped = self._own_process(kind)
        stopped.suspend()
        try:
            yield
        finally:
            with suppress(psutil.NoSuchProcess):  # after a crash
                stopped.resume()

    def _own_process(self, kind: str) -> psutil.Process:
        """One of the processes that the server starts by itself, soon after it answers."""
        assert self._process is not None
        deadline = time.monotonic() + START_S
        while True:
            for process in psutil.Process(self._process.pid).children():
                with suppress(psutil.NoSuchProcess):
                    if kind in " ".join(process.cmdline()):
                        return process
            assert time.monotonic() < deadline, f"PostgreSQL has no process {kind}"
            time.sleep(0.05)

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [_program(program), *map(str, arguments)],
            check=True,
            stdout=subprocess.DEVNULL,
            user=self._user,
            cwd=self._folder,
            timeout=START_S,
        )

    def _await_answer(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=3).close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    log = (self._folder / "log").read_text(errors="replace")
                    raise TimeoutError(f"PostgreSQL did not start:\n{log}") from None
                time.sleep(0.05)
            else:
                return


@contextmanager
def running_server(**settings: str) -> Iterator[Server]:
    """Start a server in a temporary folder; stop and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix="test-postgres-") as folder:
        server = Server(Path(folder), free_port(), settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def new_database(server: Server, *, template: str = "template1") -> Iterator[str]:
    """Create a database; gives its address. Its connections must be closed at the end."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        yield server.url(name)
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The server of this test session (of each worker of pytest-xdist its own)."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def database_url(postgres_server: Server) -> Iterator[str]:
    """A migrated database, shared by the session; see the fixture `connection` for a clean one."""
    with new_database(postgres_server) as url:
        migrations.upgrade(url)
        yield url


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root; its package brings a user for it."""
    return "postgres" if os.geteuid() == 0 else None


def _program(name: str) -> str:
    """Where a PostgreSQL program is: Debian keeps the server's out of the PATH."""
    newest_first = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or next(map(str, newest_first), None)
    if found is None:
        pytest.skip(f"{name} of PostgreSQL is not installed")
    return found
