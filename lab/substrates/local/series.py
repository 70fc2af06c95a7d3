"""A private Prometheus for a block: over the series that a run has left behind, or over new ones.

It listens on this machine only, at a port of its own, and has ended when the block is left, however
that happens; if this process is killed, the kernel ends it (Linux).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import yaml

from lab.errors import CannotRun
from lab.substrates.local import programs
from lab.substrates.local.ports import HOST, Ports
from lab.substrates.local.processes import Command, Running, Spawner
from lab.substrates.local.roles import is_ok
from lab.substrates.local.service import Launch, Service, environment
from lab.substrates.local.startup import Rise, bring_up

READY_WITHIN_S = 120.0
"""Long enough to read the log of a long run on a busy machine."""
STOP_WITHIN_S = 20.0
_FOR_EVER = "100y"


@contextmanager
def opened(folder: Path) -> Iterator[str]:
    """Serve the series stored in `folder`; gives the URL.

    A copy is served, so that what a run left stays as it is, and two can look at once.

    Raises:
        CannotRun: there are no series in the folder, or no Prometheus is installed.
        SubstrateError: Prometheus did not start; the text ends with its last output.
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
    """Run Prometheus for the block, its file and log in `place`; gives the URL.

    Raises:
        CannotRun: it is not installed.
        SubstrateError: it did not start.
    """
    program = programs.need("prometheus")
    (place / "prometheus.yml").write_text(yaml.safe_dump(configuration), "utf-8")
    launches: list[Launch] = []
    with ExitStack() as ending:
        ports = Ports()
        ending.callback(ports.release)
        spawner = ending.enter_context(closing(Spawner()))

        def configure() -> Launch:
            port = ports.take()
            command = Command(
                argv=(
                    program,
                    f"--config.file={place / 'prometheus.yml'}",
                    f"--storage.tsdb.path={data}",
                    f"--storage.tsdb.retention.time={_FOR_EVER}",
                    f"--web.listen-address={HOST}:{port}",
                ),
                env=environment(),
                cwd=place,
            )
            return Launch(command, ports=(port,))

        def started(name: str, process: Running, launch: Launch) -> None:
            ending.callback(_end, process)
            launches.append(launch)

        service = Service(
            "prometheus",
            configure,
            answers=lambda: is_ok(launches[-1].ports[0], "/-/ready"),
            within_s=READY_WITHIN_S,
        )
        bring_up([Rise(service, spawner, place, started)])
        yield f"http://{HOST}:{launches[-1].ports[0]}"


def _end(running: Running) -> None:
    running.terminate()
    if not running.wait(STOP_WITHIN_S):
        running.kill()
