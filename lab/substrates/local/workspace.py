"""The working folder of a local lab, and the system's commands that run in it.

It needs only what a lab writes down about itself, so a process that did not start the lab can run
commands there too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from lab.errors import SubstrateError
from lab.paths import PROJECT
from lab.substrates.abilities import OUTBOX, Finished, Program
from lab.substrates.local.forkserver import ForkServer
from lab.substrates.local.instance import Instance
from lab.substrates.local.ports import HOST
from lab.substrates.local.processes import Command, Running, Spawner
from lab.substrates.local.run_to_end import run_to_end
from lab.substrates.local.service import environment
from lab.substrates.plan import Role
from lab.substrates.protocol import Endpoints, Log

SCRAPER_METRICS = "scraper-metrics"
READ_BYTES_MAX = 16 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024
_DRIVEN_BY_ROLE = {
    Program.SCRAPER: "scraper",
    Program.WORKER: "worker",
    Program.DEAD_LETTERS: "operator",
}
"""Whose login at the broker a program has; the backend has none."""


def folder_of(instance: Instance, name: str = "work") -> Path:
    """The working folder, or another of the lab's, made if it is missing."""
    folder = instance.folder / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def settings_of(program: Program, instance: Instance, ends: Endpoints) -> dict[str, str]:
    """The environment that a program usually has in a lab, passwords included."""
    env = {
        "PYTHONPATH": str(PROJECT),
        # A process that is killed leaves its temporary files; so they go with the lab.
        "TMPDIR": str(folder_of(instance, "tmp")),
    }
    if program is Program.BACKEND:
        env["MISSING_TABLE_DATABASE_URL"] = ends.database_url
        return env | {"MISSING_TABLE_API_TOKEN": ends.api_token}
    env["MISSING_TABLE_BROKER_URL"] = ends.broker_urls[_DRIVEN_BY_ROLE[program]]
    if program is Program.DEAD_LETTERS:
        return env
    env |= {"MISSING_TABLE_API_URL": ends.api_url, "MISSING_TABLE_API_TOKEN": ends.api_token}
    if program is Program.WORKER:
        return env | {"MISSING_TABLE_RESULT_URL": ends.results_url}
    env["MISSING_TABLE_API_URL"] = ends.scraper_api_url or ends.api_url
    folder = folder_of(instance)
    env["MISSING_TABLE_OUTBOX"] = str(folder / OUTBOX)
    if ends.prometheus_url:
        env["MISSING_TABLE_METRICS_FOLDER"] = str(folder / SCRAPER_METRICS)
    return env


class Workspace:
    """Makes a local substrate run programs, and share files and servers; gives its logs."""

    def __init__(self, instance: Instance, forks: ForkServer | None = None) -> None:
        self._instance = instance
        self._forks = forks
        self._endpoints: Endpoints | None = None

    @property
    def endpoints(self) -> Endpoints:
        """Where everything answers.

        Raises:
            SubstrateError: it is not up.
        """
        if self._endpoints is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._endpoints

    def site_url(self) -> str:
        """The address of the league's site."""
        return self.endpoints.site_url

    def run(
        self,
        program: Program,
        *arguments: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
        within_s: float = 180.0,
    ) -> Finished:
        """Run a command to its end."""
        argv, env = _argv(program, wrapper, arguments), self._environment(program, settings)
        cwd = folder_of(self._instance)
        try:
            return run_to_end(argv, env=env, cwd=cwd, within_s=within_s, forks=self._forks)
        except subprocess.TimeoutExpired:
            raise SubstrateError(
                f"{program} {' '.join(arguments[:1])} still ran after {within_s:g} s"
            ) from None

    @contextmanager
    def started(
        self,
        program: Program,
        *arguments: str,
        log: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
    ) -> Iterator[Running]:
        """Run a command beside the block; it is killed at the end if it still runs then."""
        command = Command(
            tuple(_argv(program, wrapper, arguments)),
            self._environment(program, settings),
            cwd=folder_of(self._instance),
        )
        spawner = Spawner(self._forks)
        try:
            log_file = self._instance.logs / f"{log}.log"
            process = Running(spawner.spawn(command, log_file), command)
            try:
                yield process
            finally:
                process.kill()
        finally:
            spawner.close()

    def loopback(self) -> str:
        """Where servers of this machine are, for its programs and for this process."""
        return HOST

    def place(self, file: str) -> Path:
        """Where a file of the working folder is."""
        return folder_of(self._instance) / file

    def read(self, file: str, offset: int = 0) -> bytes | None:
        """What a file holds from `offset` on, at most `READ_BYTES_MAX`; None if there is none."""
        try:
            with self.place(file).open("rb") as content:
                content.seek(offset)
                return content.read(READ_BYTES_MAX)
        except FileNotFoundError:
            return None

    def write(self, file: str, content: bytes) -> None:
        """Make a file, or replace it in one step; only its owner can read it."""
        draft = self.place(f"{file}.new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(content)
        draft.replace(self.place(file))

    def logs(self, role: Role | None = None) -> list[Log]:
        """The logs of a role, one for each process it ever had; of everything if None."""
        names = f"{role}-*.log" if role else "*.log"
        found = sorted(self._instance.logs.glob(names))
        return [Log(path.stem, partial(_pieces, path)) for path in found]

    def _environment(self, program: Program, settings: Mapping[str, str | None]) -> dict[str, str]:
        usual = settings_of(program, self._instance, self.endpoints)
        chosen = {**usual, **settings}
        return environment(**{name: value for name, value in chosen.items() if value is not None})


def _argv(program: Program, wrapper: str | None, arguments: tuple[str, ...]) -> list[str]:
    modules = (wrapper, str(program)) if wrapper else (str(program),)
    return [sys.executable, "-m", *modules, *arguments]


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as log:
            while piece := log.read(_PIECE_BYTES):
                yield piece
    except FileNotFoundError:
        return
