"""The commands about labs that are kept up: `lab status`, `lab down`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lab.cli.options import COULD_NOT_RUN, AsJson, LabName, SubstrateName
from lab.substrates import registry

_out = Console(highlight=False, soft_wrap=True)


def status(
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show what runs. Exit code: 0 up, 1 degraded, 2 none."""
    seen = registry.keeping(substrate).status(name)
    if as_json:
        _out.print_json(data=seen.as_dict())
    elif seen.verdict == "none":
        _out.print(f"No lab named {name!r} runs here. Start it with `lab up`.")
    else:
        table = Table("process", "state", "pid", "ports", "since (UTC)", "memory", box=None)
        for line in seen.lines:
            ports = " ".join(map(str, line.ports))
            memory = f"{line.memory_mb} MB"
            since = line.since[11:19]  # the time of an ISO 8601 moment
            table.add_row(line.name, line.state, str(line.pid), ports, since, memory)
        _out.print(table)
        _out.print(f"The lab {name!r} is {seen.verdict}.")
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
        _out.print(f"The lab {lab!r} {'has ended' if ended else 'was not running'}.")
