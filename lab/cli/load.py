"""The command `lab load`: some work for a lab that is up; and the observer of Locust's loads."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any

import typer

from lab.cli.options import LabName, SubstrateName, out
from lab.clients.prometheus import promql
from lab.errors import CannotRun
from lab.experiment import observe as observing
from lab.experiment import work
from lab.substrates import registry
from lab.workload import profiles

USUAL_S = 60.0
"""How long a load without an end lasts if nothing is said."""

ProfileName = Annotated[
    str, typer.Option("--profile", help=f"Which load: {', '.join(profiles.PROFILES)}.")
]


def load(
    profile: ProfileName = "steady",
    lasting: Annotated[
        str | None,
        typer.Option("--for", help="How long at most: 30s, 1m.", show_default="its own, or 1m"),
    ] = None,
    may_be_late: Annotated[
        bool,
        typer.Option("--may-be-late", help="Do not judge the latency: you break something."),
    ] = False,
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Give a lab that is up some work, and judge what became of it.

    Every message is accounted for. Ctrl-C ends the load early, and what was sent is judged; the lab
    goes on. Exit code: 0 valid, 1 invalid, 2 unknown or could not run.
    """
    chosen = profiles.find(profile)
    if lasting is not None or chosen.lasts_s is None:
        chosen = chosen.lasting(USUAL_S if lasting is None else _seconds(lasting))
    place = registry.keeping(substrate).attach(name)
    audit = work.run(place, profile, chosen, may_be_late=may_be_late, console=out)
    raise typer.Exit(audit.verdict.exit_code)


def observe(
    profile: ProfileName,
    lasting: Annotated[float, typer.Option("--seconds", min=0)],
    host: Annotated[str | None, typer.Option(help="Of an API; else a lab that is up.")] = None,
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Record a load that another program drives; orders come by standard input."""
    chosen = profiles.find(profile).lasting(lasting)
    if host is not None:
        place = registry.elsewhere(registry.endpoints_elsewhere(host, os.environ))
    else:
        place = registry.keeping(substrate).attach(name)
    audit = observing.observe(place, profile, chosen, sys.stdin, _say)
    raise typer.Exit(audit.verdict.exit_code)


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201


def _seconds(text: str) -> float:
    try:
        seconds = promql.seconds(text)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        raise CannotRun(f"--for must be a time like 30s or 1m, not {text!r}")
    return seconds
