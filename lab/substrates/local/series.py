"""A private Prometheus for a block: over the series that a run has left behind, or over new ones.

It listens on this machine only, at a port of its own, and has ended when the block is left, however
that happens; if this process is killed, the kernel ends it (Linux).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lab.clients.prometheus.client import Prometheus
from lab.errors import CannotRun, SubstrateError
from lab.substrates.local import programs
from lab.substrates.local.ports import HOST, Ports
from lab.substrates.local.processes import Command, Running, Spawner
from lab.substrates.local.service import environment
from lab.wait import eventually

READY_WITHIN_S = 60.0
"""Long enough to read the log of a long run on a busy machine."""
STOP_WITHIN_S = 20.0
_FOR_EVER = "100y"
_TRIES = 3


@contextmanager
def opened(folder: Path) -> Iterator[str]:
    """Serve the series stored in `folder`; gives the URL.

    A copy is served, so that what a run left stays as it is, and two can look at once.

    Raises:
        CannotRun: there are no series in the folder, or no Prometheus is installed.
        SubstrateError: Prometheus did not start; the text ends with its own words.
    """
    if not (folder / "wal").is_dir() and not any(folder.glob("*/meta.json")):
        raise CannotRun(
            f"{folder} holds no series of Prometheus; `make lab` leaves them in .runs/latest"
        )
    with tempfile.TemporaryDirectory(prefix="missing-table-series-") as place:
        data = Path(place) / "data"
        shutil.copytree(folder, data, ignore=shutil.ignore_patterns("lock", "queries.active"))
        with serving({}, Path(place), data) as url:
            yield url


@contextmanager
def serving(configuration: dict[str, Any], place: Path, data: Path) -> Iterator[str]:
    """Run Prometheus for the block; gives the URL.

    Args:
        configuration: as in its file; empty scrapes nothing.
        place: a folder for its configuration and its log.
        data: where its series are kept.

    Raises:
        CannotRun: it is not installed.
        SubstrateError: it did not start.
    """
    program = programs.need("prometheus")
    (place / "prometheus.yml").write_text(yaml.safe_dump(configuration), "utf-8")
    ports, spawner = Ports(), Spawner()
    try:
        running, url = _started(program, place, data, ports, spawner)
        try:
            yield url
        finally:
            _end(running)
    finally:
        spawner.close()
        ports.release()


def _started(
    program: str, place: Path, data: Path, ports: Ports, spawner: Spawner
) -> tuple[Running, str]:
    """Start it at a free port; another one where a stranger took that in between."""
    log = place / "prometheus.log"
    for _ in range(_TRIES):
        address = f"{HOST}:{ports.take()}"
        command = Command(
            argv=(
                program,
                f"--config.file={place / 'prometheus.yml'}",
                f"--storage.tsdb.path={data}",
                f"--storage.tsdb.retention.time={_FOR_EVER}",
                f"--web.listen-address={address}",
            ),
            env=environment(),
            cwd=place,
        )
        running = Running(spawner.spawn(command, log), command)
        with Prometheus(f"http://{address}") as prometheus:
            try:
                eventually(
                    "Prometheus to answer",
                    lambda: prometheus.ready() or running.ended() is not None,  # noqa: B023
                    within_s=READY_WITHIN_S,
                )
            except BaseException:
                running.kill()
                raise
        if running.ended() is None:
            return running, f"http://{address}"
    last = log.read_text("utf-8", errors="replace").strip().splitlines()[-1:]
    raise SubstrateError(f"Prometheus ended as soon as it was started: {' '.join(last)}")


def _end(running: Running) -> None:
    running.send(running.command.stop)
    if not running.wait(STOP_WITHIN_S):
        running.kill()
