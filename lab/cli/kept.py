"""The commands about labs that are kept up, `lab status` and `lab down`; and how one is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import typer
from rich.table import Table

from lab.cli.options import COULD_NOT_RUN, AsJson, LabName, SubstrateName, out
from lab.errors import CannotRun
from lab.substrates import registry
from lab.substrates.provider import Kept

DEFAULT_NAME = "default"


def status(
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show what runs. Exit code: 0 up, 1 degraded, 2 none."""
    seen = registry.keeping(substrate).status(name)
    if as_json:
        out.print_json(data=seen.as_dict())
    elif seen.verdict == "none":
        out.print(f"No lab named {name!r} runs here. Start it with `lab up`.")
    else:
        table = Table("process", "state", "pid", "ports", "since (UTC)", "memory", box=None)
        for line in seen.lines:
            ports = " ".join(map(str, line.ports))
            memory = f"{line.memory_mb} MB"
            since = line.since[11:19]  # the time of an ISO 8601 moment
            table.add_row(line.name, line.state, str(line.pid), ports, since, memory)
        out.print(table)
        out.print(f"The lab {name!r} is {seen.verdict}.")
    raise typer.Exit({"up": 0, "degraded": 1}.get(seen.verdict, COULD_NOT_RUN))


def down(
    name: LabName = "default",
    every: Annotated[bool, typer.Option("--all", help="Every lab of this folder.")] = False,
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """End a lab and remove all of it; also sweeps what a dead one has left."""
    provider = registry.keeping(substrate)
    chosen = [lab.name for lab in provider.labs(alive=False)] if every else [name]
    for lab in chosen:
        ended = provider.stop(lab)
        out.print(f"The lab {lab!r} {'has ended' if ended else 'was not running'}.")


class Watched(NamedTuple):
    """A lab that can be looked at.

    Attributes:
        url: of its Prometheus.
        since: when it began, seconds since the epoch.
    """

    name: str
    url: str
    since: float


def find(name: str | None, known: Sequence[Kept]) -> Watched:
    """The lab of this name; else the one called `default`; else the only one that runs.

    Raises:
        CannotRun: there is none, or several, or it has no Prometheus.
    """
    alive = {lab.name: lab for lab in known}
    if name is not None and name not in alive:
        raise CannotRun(f"no lab named {name!r} runs here; start it with `lab up --name {name}`")
    if not alive:
        raise CannotRun("no lab runs here; start one with `lab up`")
    if name is None and DEFAULT_NAME not in alive and len(alive) > 1:
        raise CannotRun(f"several labs run here; choose one by --name: {', '.join(sorted(alive))}")
    chosen = alive.get(name or DEFAULT_NAME) or next(iter(alive.values()))
    if chosen.endpoints is None:
        raise CannotRun(f"the lab {chosen.name!r} is not up yet; try again in a moment")
    if chosen.endpoints.prometheus_url is None:
        raise CannotRun(
            f"the lab {chosen.name!r} runs without monitoring, so there is nothing to ask; "
            "`lab up` starts one that has it"
        )
    return Watched(chosen.name, chosen.endpoints.prometheus_url, chosen.since)
