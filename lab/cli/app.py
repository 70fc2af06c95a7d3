"""The command line of the laboratory: `lab <command>`, or `python -m lab <command>`.

Exit codes: 0 good, 1 not as it should be, 2 unknown or could not run, with one line that says why.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from lab.cli import (
    browse,
    capacity,
    ctl,
    doctor,
    fault,
    hunt,
    kept,
    load,
    phase,
    report,
    room,
    run,
    runs,
    scale,
    season,
    slo,
    top,
    up,
)
from lab.cli.console_help import WholeHelp
from lab.cli.options import COULD_NOT_RUN, out
from lab.errors import LabError
from lab.paths import PROJECT, lab_command

PACKAGE = "missing-table-messaging-lab"

app = typer.Typer(
    help="The Missing Table messaging lab.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    cls=WholeHelp,
    rich_markup_mode=None,  # plain help: the boxes cut what does not fit
)


def _version(asked: bool) -> None:
    if asked:
        out.print(f"Missing Table messaging lab {version(PACKAGE)}, in {PROJECT}")
        raise typer.Exit


@app.callback()
def _group(
    _unused: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which, and where."),
    ] = False,
) -> None:
    """The Missing Table messaging lab."""


app.command()(up.up)
app.command(hidden=True)(up.hold)
app.command("list")(kept.list_labs)
app.command()(kept.status)
app.command()(kept.down)
app.command()(doctor.doctor)
app.command()(run.run)
app.command()(load.load)
app.command()(season.season)
app.command()(season.scrape)
app.command(context_settings=capacity.PASSED_ON)(capacity.capacity)
app.command(hidden=True)(load.observe)
app.command()(report.report)
app.command()(runs.runs)
app.command()(browse.browse)
app.command("slo")(slo.command)
app.command("top")(top.command)
app.command()(room.room)
app.command()(scale.scale)
app.add_typer(fault.app, name="fault")
app.command()(hunt.hunt)
app.command()(phase.phase)
app.command(context_settings={"ignore_unknown_options": True})(ctl.ctl)


def main() -> None:
    """Run the command line; errors of the lab become one line and exit code 2."""
    try:
        app(prog_name=lab_command())
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(COULD_NOT_RUN)
