"""The command `lab report`: judges a finished run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lab.cli.options import out
from lab.errors import CannotRun
from lab.experiment.runs import RUNS
from lab.history.log import FILE
from lab.report import conclude


def report(
    folder: Annotated[
        Path, typer.Argument(help="A run's folder.", show_default=".runs/latest")
    ] = RUNS / "latest",
) -> None:
    """Judge a finished run again: print the verdict, write verdict.json and report.html anew.

    Exit code: 0 valid, 1 invalid, 2 unknown.
    """
    if not (folder / FILE).exists():
        raise CannotRun(f"{folder} holds no {FILE}: name the folder of a run, as in .runs/")
    audit = conclude.conclude(folder)
    conclude.show(audit, out, folder)
    raise typer.Exit(audit.verdict.exit_code)
