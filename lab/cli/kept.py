"""The commands about labs that are up: `lab list`, `status`, `down`; and how one is found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import typer
from rich.table import Table

from lab.cli.addresses import addresses, lines
from lab.cli.fault import at_work
from lab.cli.options import COULD_NOT_RUN, AnyLab, AsJson, ContextName, LabName, SubstrateName, out
from lab.errors import CannotRun
from lab.paths import lab_command
from lab.substrates import registry
from lab.substrates.provider import Keeps, Kept, Sweeps
from lab.top.formatting import duration

DEFAULT_NAME = "default"


def list_labs(substrate: SubstrateName = registry.DEFAULT, as_json: AsJson = False) -> None:
    """List every lab of this folder, and what it does.

    Also those that a season, a phase or a hunt runs in. Exit code: 0, also if there is none.
    """
    provider = registry.keeping(substrate)
    found = [(lab, provider.status(lab.name).verdict) for lab in provider.labs()]
    if as_json:
        out.print_json(
            data=[
                {
                    "name": lab.name,
                    "doing": lab.doing,
                    "state": state,
                    "since": lab.since,
                    "addresses": addresses(lab),
                }
                for lab, state in found
            ]
        )
        return
    if not found:
        out.print(f"No lab runs in this folder. Start one with `{lab_command('up')}`.")
        return
    table = Table("lab", "what it does", "state", "up for", box=None)
    for lab, state in found:
        age = duration(max(0.0, time.time() - lab.since)) if lab.since else "-"
        table.add_row(lab.name, lab.doing, state, age)
    out.print(table)


def status(
    name: AnyLab = None,
    substrate: SubstrateName = registry.DEFAULT,
    context: ContextName = None,
    as_json: AsJson = False,
) -> None:
    """Show what runs, and where it answers. Exit code: 0 up, 1 degraded, 2 none.

    Without a name: the lab `default`, else the only one there is, as while a season goes by.
    """
    provider = registry.keeping(substrate)
    labs = provider.labs()
    name = name or meant(labs)
    seen = provider.status(name)
    lab = next((each for each in labs if each.name == name), None)
    if as_json:
        places = addresses(lab) if lab else {}
        out.print_json(data={**seen.as_dict(), "addresses": places})
    elif seen.verdict == "none":
        out.print(f"No lab named {name!r} runs here. Start it with `{up_command(name)}`.")
    else:
        table = Table("process", "state", "pid", "ports", "since (UTC)", "memory", box=None)
        for line in seen.lines:
            ports = " ".join(map(str, line.ports))
            memory = f"{line.memory_mb} MB"
            since = line.since[11:19]  # the time of an ISO 8601 moment
            table.add_row(line.name, line.state, str(line.pid), ports, since, memory)
        out.print(table)
        for place in lines(addresses(lab)) if lab else ():
            out.print(place, markup=False)
        for breach in seen.breaches:
            out.print(f"Broken on purpose: {at_work(breach)}.", markup=False)
        doing = f" ({lab.doing})" if lab and lab.doing else ""
        out.print(f"The lab {name!r}{doing} is {seen.verdict}.", markup=False)
    raise typer.Exit({"up": 0, "degraded": 1}.get(seen.verdict, COULD_NOT_RUN))


def down(
    name: LabName = "default",
    every: Annotated[bool, typer.Option("--all", help="Every lab of this folder.")] = False,
    substrate: SubstrateName = registry.DEFAULT,
    context: ContextName = None,
) -> None:
    """End a lab and remove all of it, also what a dead one has left."""
    sweeping = registry.find(substrate)
    if isinstance(sweeping, Sweeps) and not isinstance(sweeping, Keeps):
        swept = ", ".join(sweeping.sweep())
        out.print(f"Removed what dead labs had left: {swept or 'there was nothing'}.")
        return
    provider = registry.keeping(substrate)
    if isinstance(provider, Sweeps):
        for lab in provider.sweep():
            out.print(f"Removed what the dead lab {lab!r} had left.")
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


def up_command(name: str) -> str:
    """How the lab of this name is started, as it can be typed."""
    return lab_command("up", *(() if name == DEFAULT_NAME else ("--name", name)))


def meant(known: Sequence[Kept]) -> str:
    """The name of the lab that is meant if none is named: `default`, else the only one that runs.

    Raises:
        CannotRun: there are several, and none is the default one.
    """
    names = sorted(lab.name for lab in known)
    if not names or DEFAULT_NAME in names:
        return DEFAULT_NAME
    if len(names) > 1:
        raise CannotRun(f"several labs run here; choose one by --name: {', '.join(names)}")
    return names[0]


def find(name: str | None, known: Sequence[Kept]) -> Watched:
    """The lab of this name; else the one called `default`; else the only one that runs.

    Raises:
        CannotRun: there is none, or several, or it has no Prometheus.
    """
    alive = {lab.name: lab for lab in known}
    if name is not None and name not in alive:
        raise CannotRun(f"no lab named {name!r} runs here; start it with `{up_command(name)}`")
    if not alive:
        raise CannotRun(f"no lab runs here; start one with `{lab_command('up')}`")
    chosen = alive[name or meant(known)]
    if chosen.endpoints is None:
        raise CannotRun(f"the lab {chosen.name!r} is not up yet; try again in a moment")
    if chosen.endpoints.prometheus_url is None:
        raise CannotRun(
            f"the lab {chosen.name!r} runs without monitoring, so there is nothing to ask; "
            f"`{lab_command('up')}` starts one that has it"
        )
    return Watched(chosen.name, chosen.endpoints.prometheus_url, chosen.since)
