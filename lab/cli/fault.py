"""The command about faults: `lab fault list`."""

from __future__ import annotations

import typer

from lab.cli.options import AsJson, out
from lab.faults import registry

app = typer.Typer(help="What can be broken on purpose.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """What can be broken on purpose."""


@app.command("list")
def show(
    as_json: AsJson = False,
) -> None:
    """List every fault: what it does, what can be chosen, what a substrate must be able to do."""
    faults = registry.known().values()
    if as_json:
        out.print_json(
            data=[
                {
                    "name": each.name,
                    "summary": each.summary,
                    "parameters": {name: str(value) for name, value in each.parameters.items()},
                    "needs": [ability.__name__ for ability in each.needs],
                }
                for each in faults
            ]
        )
        return
    for each in faults:
        parameters = " ".join(f"{name}={value}" for name, value in each.parameters.items())
        out.print(f"[bold]{each.name}[/bold] {parameters}".rstrip())
        needs = ", ".join(ability.__name__ for ability in each.needs)
        out.print(f"  {each.summary}" + (f" Needs: {needs}." if needs else ""))
