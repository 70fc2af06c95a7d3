"""The command `lab ctl`: a service's own tool against a lab that is up."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from lab.cli.options import LabName, SubstrateName, out
from lab.errors import CannotRun
from lab.paths import near
from lab.substrates import registry
from lab.substrates.provider import HasTools

SETTINGS = "env"
"""Instead of a tool: the settings for a shell of one's own."""


def ctl(
    tool: Annotated[
        str,
        typer.Argument(
            help="rabbitmqctl, rabbitmq-diagnostics, redis-cli, psql, worker, scraper,"
            " dead-letters, or env.",
        ),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(help="Given to the tool.")] = None,
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Run a service's own tool against a lab that is up.

    For example `ctl rabbitmqctl list_queues`.

    The tool is given the address of the lab's private service and how to log in; its exit code is
    passed on. `ctl worker` runs one more worker, in the foreground; `ctl scraper` the scraper;
    `ctl dead-letters list` looks at what was given up. `ctl env` writes the settings of the lab
    into a file for your own shell and programs. Options of `ctl` itself go before the tool.
    """
    provider = registry.find(substrate)
    if not isinstance(provider, HasTools):
        raise CannotRun(f"the substrate {substrate!r} has no tools of its own")
    if tool == SETTINGS:
        path = near(provider.settings_file(name))
        out.print(f"The settings of the lab {name!r} are in a file, passwords included. Only you")
        out.print("can read it, and it goes with the lab. To use it in a shell:\n")
        out.print(f"    . {path if path.is_absolute() else f'./{path}'}", markup=False)
        return
    call = provider.call(name, tool, arguments or [])
    os.execve(call.argv[0], call.argv, call.env)  # noqa: S606 - it takes this process's place
