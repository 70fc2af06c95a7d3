"""The command `lab phase`."""

from __future__ import annotations

import os
import secrets
from typing import Annotated

import typer
from rich.console import Console

from lab.cli.options import ContextName, SubstrateName
from lab.substrates import registry
from lab.substrates.protocol import Substrate


def phase(
    number: Annotated[int, typer.Argument(min=0, max=6, help="0 to 6.")],
    substrate: SubstrateName = registry.DEFAULT,
    context: ContextName = None,
    only: Annotated[str, typer.Option(help="Run only experiments whose name has this in it.")] = "",
) -> None:
    """Run a phase: show each claim with what was seen.

    Starts what it needs, and leaves nothing but the run's folder in `.runs/`. Exit code: 0 every
    claim holds, 1 one does not, 2 not decided or could not run.
    """
    # They need pytest, which the other commands do not.
    from lab.phases import render, runner

    modules = runner.find(number)
    provider = registry.find(substrate)
    if only:
        runner.check_choice(modules, only)
    # A descriptor of its own: pytest catches what is written to the usual one.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as terminal:
        width = None if terminal.isatty() else render.COLUMNS_MAX
        out = Console(file=terminal, highlight=False, width=width)

        def say(line: str) -> None:
            out.print(line, markup=False, soft_wrap=True)
            terminal.flush()

        def work(_unused: Substrate) -> int:
            out.print(f"Phase {number}: {runner.title(modules[0])}. One moment …")
            account, folder = runner.run(number, modules, substrate, say=say, only=only)
            files = (folder / runner.PAGE_FILE, folder / runner.JSON_FILE)
            render.show(account, out, files)
            terminal.flush()
            return account.verdict.exit_code

        code = provider.guarded(f"phase{number}-{secrets.token_hex(4)}", work)
    raise typer.Exit(code)
