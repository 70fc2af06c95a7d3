"""How long a backlog takes, and what each match of it costs: `python -m load.bench.drain`.

A lab is started, its workers are stopped in mid-air, the messages are published, the workers go on;
then the processor time of every role is divided by the number of matches. That figure is much less
disturbed by others on the machine than the rate is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.errors import CannotRun
from lab.experiment.plan import make_plan
from lab.substrates import registry
from lab.substrates.abilities import Pausable
from lab.substrates.plan import Role
from load.bench import cpu
from load.bench.backlog import WARM_UP, publish, wait_for_receipts


@dataclass(frozen=True, slots=True)
class Drained:
    """One backlog.

    Attributes:
        cpu_us: microseconds of processor time per match, by role.
    """

    sink: str
    messages: int
    seconds: float
    per_s: float
    cpu_us: dict[str, float]
    cpu_us_total: float


def drain(
    sink: str,
    messages: int,
    *,
    per_match: int = 1,
    settings: dict[str, str] | None = None,
    spy: Path | None = None,
) -> Drained:
    """Measure one backlog in a lab of its own: two workers with two children each.

    Args:
        sink: `api` or `database`.
        messages: in the backlog.
        per_match: observations of each match.
        settings: of the workers, by their variables.
        spy: a folder for profiles by py-spy, which has to be installed.
    """
    env = {"MISSING_TABLE_SINK": sink, **(settings or {})}
    plan = make_plan(seed=7, matches=40, workers=2, concurrency=2, settings={Role.WORKER: env})
    with (
        tempfile.TemporaryDirectory() as folder,
        registry.find(registry.DEFAULT).opened(f"drain-{os.getpid()}", Path(folder)) as substrate,
        ExitStack() as ending,
    ):
        ending.callback(substrate.down)
        # No record is kept: what reads the receipts costs the API as much as what writes them.
        endpoints = substrate.up(plan)
        if not (isinstance(substrate, Pausable) and isinstance(substrate, cpu.ListsProcesses)):
            raise CannotRun(f"the substrate {substrate.name!r} does not show its processes")
        url = endpoints.broker_urls["scraper"]
        publish(url, WARM_UP, 1, seed=1)
        wait_for_receipts(endpoints.database_url, WARM_UP)
        for index in range(2):
            substrate.pause(Role.WORKER, index)
        publish(url, messages, per_match, seed=2)
        before, begun = cpu.seconds(substrate), time.monotonic()
        with ExitStack() as spies:
            for index in range(2):
                substrate.resume(Role.WORKER, index)
            if spy is not None:
                _spy(spies, substrate, spy)
            wait_for_receipts(endpoints.database_url, WARM_UP + messages)
            took = time.monotonic() - begun
            used = cpu.difference(before, cpu.seconds(substrate))
        us = {role: round(1e6 * each / messages, 1) for role, each in sorted(used.items())}
        us = {role: each for role, each in us.items() if each >= 1}
        return Drained(
            sink, messages, round(took, 2), round(messages / took), us, round(sum(us.values()), 1)
        )


def _spy(spies: ExitStack, substrate: cpu.ListsProcesses, folder: Path) -> None:
    """Let py-spy watch the API and one worker with its children until the stack is closed."""
    folder.mkdir(parents=True, exist_ok=True)
    for listed in substrate.processes():
        if listed.name in ("worker-0", "api-0"):
            out = folder / f"{listed.name}.txt"
            command = ("py-spy", "record", "--subprocesses", "--gil", "-r", "200", "-f", "raw")
            started = subprocess.Popen(
                (*command, "-p", str(listed.pid), "-o", str(out)),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            spies.callback(started.wait, 30)
            spies.callback(started.send_signal, 2)


def main() -> int:
    """Answer the command line."""
    parser = argparse.ArgumentParser(prog="python -m load.bench.drain", description=__doc__)
    parser.add_argument("--sink", choices=("api", "database", "both"), default="both")
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--per-match", type=int, default=1, help="observations of each match")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="setting")
    parser.add_argument("--spy", type=Path, help="folder for profiles by py-spy")
    parser.add_argument("--json", type=Path, help="append each result to this file, a line each")
    given = parser.parse_args()
    settings: dict[str, Any] = dict(each.split("=", 1) for each in given.set)
    for sink in ("api", "database") if given.sink == "both" else (given.sink,):
        drained = drain(
            sink,
            given.messages,
            per_match=given.per_match,
            settings=settings,
            spy=given.spy and given.spy / sink,
        )
        print(json.dumps(asdict(drained)), flush=True)  # noqa: T201
        if given.json:
            with given.json.open("a") as file:
                file.write(json.dumps(asdict(drained)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
