"""The command line of the laboratory: `lab <command>`, or `python -m lab <command>`.

Exit codes: 0 good, 1 not as it should be, 2 unknown or could not run, with one line that says why.
"""

from __future__ import annotations

import sys

import typer

from lab.cli import ctl, doctor, fault, kept, phase, report, run, slo, top, up
from lab.cli.options import COULD_NOT_RUN
from lab.errors import LabError

app = typer.Typer(
    help="The Missing Table messaging lab.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(up.up)
app.command(hidden=True)(up.hold)
app.command()(kept.status)
app.command()(kept.down)
app.command()(doctor.doctor)
app.command()(run.run)
app.command()(report.report)
app.command("slo")(slo.command)
app.command("top")(top.command)
app.add_typer(fault.app, name="fault")
app.command()(phase.phase)
app.command(context_settings={"ignore_unknown_options": True})(ctl.ctl)


def main() -> None:
    """Run the command line; errors of the lab become one line and exit code 2."""
    try:
        app()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(COULD_NOT_RUN)
