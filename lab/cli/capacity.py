"""The command `lab capacity`: how much this machine takes, and what a larger feed would need.

The model is beside the loads that it is fitted to, in `load/capacity`, which stands on the lab. So
it is started as a program of its own.
"""

from __future__ import annotations

import subprocess
import sys

import typer

PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def capacity(context: typer.Context) -> None:
    """Measure how throughput grows with workers, and predict it.

    The predictions are checked.

    `lab capacity --help` lists the options. It takes some minutes. Exit code: 0; 1 if a prediction
    is wrong; 2 if something could not be measured.
    """
    command = (sys.executable, "-m", "load.capacity", *context.args)
    raise typer.Exit(subprocess.run(command, check=False).returncode)
