"""The command `lab ctl`: a service's own tool against a lab that is up."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from lab.cli.options import LabName, SubstrateName
from lab.errors import CannotRun
from lab.substrates import registry
from lab.substrates.provider import HasTools


def ctl(
    tool: Annotated[str, typer.Argument(help="rabbitmqctl, redis-cli, psql, worker, scraper …")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Given to the tool.")] = None,
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Run a service's own tool against a lab that is up: `lab ctl rabbitmqctl list_queues`.

    The tool is given the address of the lab's private service and how to log in; its exit code is
    passed on. `lab ctl worker` runs one more worker, in the foreground; `lab ctl scraper` the
    scraper. Options of `lab ctl` itself go before the tool.
    """
    provider = registry.find(substrate)
    if not isinstance(provider, HasTools):
        raise CannotRun(f"the substrate {substrate!r} has no tools of its own")
    call = provider.call(name, tool, arguments or [])
    os.execve(call.argv[0], call.argv, call.env)  # noqa: S606 - it takes this process's place
