"""The command line of the laboratory: `lab <command>`, or `python -m lab <command>`.

Exit codes: 0 good, 1 not as it should be, 2 unknown or could not run, with one line that says why.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from lab.cli import fault, run, slo, up
from lab.cli import phase as phases
from lab.cli import top as top_command
from lab.errors import LabError
from lab.substrates.local import detached
from lab.substrates.local import doctor as examination
from lab.substrates.local.instance import Instance, instances

COULD_NOT_RUN = 2

app = typer.Typer(
    help="The Missing Table messaging lab.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out = Console(highlight=False, soft_wrap=True)
_Name = Annotated[str, typer.Option(help="Which lab; several can run side by side.")]


app.command()(up.up)
app.command(hidden=True)(up.hold)


@app.command()
def status(
    name: _Name = "default",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what runs. Exit code: 0 up, 1 degraded, 2 none."""
    seen = detached.status(Instance.named(name))
    if as_json:
        _out.print_json(data=seen.as_dict())
    elif seen.verdict == "none":
        _out.print(f"No lab named {name!r} runs here. Start it with `lab up`.")
    else:
        table = Table("process", "state", "pid", "ports", "since (UTC)", "memory", box=None)
        for line in seen.lines:
            ports = " ".join(map(str, line.ports))
            memory = f"{line.memory_mb} MB"
            since = line.since[11:19]  # the time of an ISO 8601 moment
            table.add_row(line.name, line.state, str(line.pid), ports, since, memory)
        _out.print(table)
        _out.print(f"The lab {name!r} is {seen.verdict}.")
    raise typer.Exit({"up": 0, "degraded": 1}.get(seen.verdict, COULD_NOT_RUN))


@app.command()
def down(
    name: _Name = "default",
    every: Annotated[bool, typer.Option("--all", help="Every lab of this folder.")] = False,
) -> None:
    """End a lab and remove all of it; also sweeps what a dead one has left."""
    chosen = instances() if every else [Instance.named(name)]
    for instance in chosen:
        ended = detached.stop(instance)
        _out.print(f"The lab {instance.name!r} {'has ended' if ended else 'was not running'}.")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say what this machine has and lacks. Exit code: 0 all there, 2 something is missing."""
    findings = examination.examine()
    if as_json:
        _out.print_json(data=examination.as_dict(findings))
    else:
        _out.print(examination.as_table(findings))
    raise typer.Exit(0 if examination.is_well(findings) else COULD_NOT_RUN)


app.command()(run.run)
app.command()(run.report)
app.command("slo")(slo.command)
app.command("top")(top_command.command)
app.add_typer(fault.app, name="fault")
app.command()(phases.phase)
app.command(context_settings={"ignore_unknown_options": True})(phases.ctl)


def main() -> None:
    """Run the command line; errors of the lab become one line and exit code 2."""
    try:
        app()
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(COULD_NOT_RUN)


if __name__ == "__main__":
    main()
