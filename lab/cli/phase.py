"""The commands `lab phase` and `lab ctl`."""

from __future__ import annotations

import os
import secrets
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from lab.substrates.local import Local, tools
from lab.substrates.local.instance import Instance
from lab.substrates.local.keeper import run_guarded


class Where(StrEnum):
    """The substrates that a phase can run on."""

    LOCAL = "local"


_SUBSTRATES = {Where.LOCAL: Local}


def phase(
    number: Annotated[int, typer.Argument(min=0, max=6, help="0 to 6.")],
    substrate: Annotated[Where, typer.Option(help="Where the system runs.")] = Where.LOCAL,
    only: Annotated[str, typer.Option(help="Run only experiments whose name has this in it.")] = "",
) -> None:
    """Run the experiments of a phase, and show each claim with what was seen.

    Starts what it needs, and leaves nothing but the run's folder in `.runs/`. Exit code: 0 every
    claim holds, 1 one does not, 2 not decided or could not run.
    """
    # They need pytest, which the other commands do not.
    from lab.phases import render, runner

    modules = runner.find(number)
    instance = Instance.named(f"phase{number}-{secrets.token_hex(4)}")
    # A descriptor of its own: pytest catches what is written to the usual one.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as terminal:
        width = None if terminal.isatty() else render.COLUMNS_MAX
        out = Console(file=terminal, highlight=False, width=width)

        def say(line: str) -> None:
            out.print(line, markup=False, soft_wrap=True)
            terminal.flush()

        def work() -> int:
            out.print(f"Phase {number}: {runner.title(modules[0])}. One moment …")
            account, folder = runner.run(
                number, modules, _SUBSTRATES[substrate], name=substrate.value, say=say, only=only
            )
            files = (folder / runner.PAGE_FILE, folder / runner.JSON_FILE)
            render.show(account, out, files)
            terminal.flush()
            return account.verdict.exit_code

        code = run_guarded(work, instance)
    raise typer.Exit(code)


def ctl(
    tool: Annotated[str, typer.Argument(help=f"One of {', '.join(tools.TOOLS)}.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Given to the tool.")] = None,
    name: Annotated[str, typer.Option(help="Which lab; goes before the tool.")] = "default",
) -> None:
    """Run a service's own tool against a lab that is up: `lab ctl rabbitmqctl list_queues`.

    The tool is told where the lab's private service is and how to log in; its exit code is passed
    on. `lab ctl worker` runs one more worker, in the foreground; `lab ctl scraper` the scraper.
    """
    call = tools.call(Instance.named(name), tool, arguments or [])
    os.execve(call.argv[0], call.argv, call.env)  # noqa: S606 - it takes this process's place
