"""The command `lab report`: judges a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import out
from lab.errors import CannotRun
from lab.experiment.runs import LATEST, RUNS, newest_with
from lab.history.log import FILE
from lab.paths import lab_command
from lab.report import conclude


def report(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A run's folder.", show_default="the latest run that can be judged"),
    ] = None,
) -> None:
    """Judge a finished run again.

    Its verdict and its page are written anew.

    Exit code: 0 valid, 1 invalid, 2 unknown.
    """
    folder = folder or newest_with(FILE) or RUNS / LATEST
    if not (folder / FILE).exists():
        hint = lab_command("runs")
        raise CannotRun(f"{folder} holds no {FILE}: name the folder of a run; `{hint}` lists them")
    audit = conclude.conclude(folder)
    conclude.show(audit, out, folder)
    raise typer.Exit(audit.verdict.exit_code)
