"""The commands about faults: `lab fault list`, `lab fault strike`, `lab fault cure`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from lab.cli.console_help import WholeHelp
from lab.cli.options import AsJson, LabName, SubstrateName, out
from lab.clients.prometheus.promql import seconds
from lab.errors import CannotRun
from lab.experiment.work import JOINING
from lab.faults import registry as faults
from lab.paths import lab_command
from lab.substrates import registry
from lab.substrates.abilities import Breach, HoldsFaults
from lab.substrates.protocol import Substrate

app = typer.Typer(
    help="What can be broken on purpose.",
    no_args_is_help=True,
    cls=WholeHelp,
    rich_markup_mode=None,
)


@app.callback()
def _group() -> None:
    """What can be broken on purpose."""


@app.command("list")
def show(
    as_json: AsJson = False,
) -> None:
    """List every fault: what it does, what can be chosen, what a substrate must be able to do."""
    known = faults.known().values()
    if as_json:
        out.print_json(
            data=[
                {
                    "name": each.name,
                    "summary": each.summary,
                    "parameters": {name: str(value) for name, value in each.parameters.items()},
                    "needs": [ability.__name__ for ability in each.needs],
                    "needs_in_words": each.needs_in_words,
                }
                for each in known
            ]
        )
        return
    for each in known:
        out.print(f"[bold]{each.name}[/bold]")
        out.print(f"  {each.summary}", markup=False)
        if each.parameters:
            chosen = " ".join(f"{name}={value}" for name, value in each.parameters.items())
            out.print(f"  Can be chosen: {chosen}", markup=False)
        if each.needs:
            out.print(f"  The substrate must be able to {each.needs_in_words}.", markup=False)


@app.command()
def strike(
    fault: Annotated[str, typer.Argument(help="Which one; `lab fault list` lists them.")],
    lasting: Annotated[
        str | None,
        typer.Option("--for", help="How long: 10s, 1m.", show_default="until it is cured"),
    ] = None,
    chosen: Annotated[
        list[str] | None, typer.Option("--set", help="A parameter: link=worker-api. Repeatable.")
    ] = None,
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Break a lab that is up, on purpose.

    The lab's keeper holds the fault, also when this command has ended. Exit code: 0 struck, 2 not.
    """
    found = faults.find(fault)
    parameters = found.completed(faults.given(chosen or ()))
    for_s = None if lasting is None else _seconds(lasting)
    with _joined(name, substrate) as (place, holder):
        faults.checked(fault, place, parameters)
        breach = holder.strike(fault, parameters, for_s)
    named = () if name == "default" else ("--name", name)
    out.print(f"Struck: {breach}. {found.summary}", markup=False)
    if for_s is None:
        out.print(f"It lasts until it is cured: `{lab_command('fault', 'cure', fault, *named)}`.")
    else:
        out.print(f"It lasts for {for_s:g} s.")


@app.command()
def cure(
    fault: Annotated[str | None, typer.Argument(help="Which one.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Everything that was struck.")] = False,
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Mend what was struck by hand. Exit code: 0 cured, or nothing was left for --all; 2 not."""
    if every == (fault is not None):
        raise CannotRun("name one fault, or say --all")
    if fault is not None:
        faults.find(fault)
    with _joined(name, substrate) as (_, holder):
        cured = holder.cure(fault)
        left = [each for each in holder.breaches() if fault in (None, each.fault)]
    for breach in cured:
        out.print(f"Cured: {breach}.", markup=False)
    if left:
        out.print("Still at work, struck by a program that uses this lab; it ends with that:")
        for breach in left:
            out.print(f"  {breach}", markup=False)
    if not cured and fault is not None:
        hint = lab_command("status")
        raise CannotRun(f"{fault} was not struck by hand; `{hint}` shows what is at work")
    if not cured and not left:
        out.print("Nothing was broken.")


@contextmanager
def _joined(name: str, substrate: str) -> Iterator[tuple[Substrate, HoldsFaults]]:
    """A lab that is up, for the block.

    Raises:
        CannotRun: it is not up, or its kind of substrate cannot hold faults.
    """
    place = registry.keeping(substrate).attach(name)
    if not isinstance(place, HoldsFaults):
        raise CannotRun(f"the substrate {substrate!r} cannot hold faults that are struck by hand")
    place.up(JOINING)
    try:
        yield place, place
    finally:
        place.down()


def at_work(breach: Breach) -> str:
    """A fault that is at work, in a line for people."""
    now = time.time()
    if breach.failed:
        ends = f"and its cure has failed: {breach.failed}"
    elif not breach.by_hand:
        ends = "until the program that struck it cures it"
    elif breach.until is None:
        ends = "until it is cured"
    elif breach.until > now:
        ends = f"for {breach.until - now:.0f} s more"
    else:
        ends = "and is being cured"  # a broker takes seconds to start again
    return f"{breach}, for {max(0.0, now - breach.since):.0f} s, {ends}"


def _seconds(text: str) -> float:
    try:
        found = seconds(text)
    except ValueError:
        found = 0.0
    if found <= 0:
        raise CannotRun(f"--for must be a time like 10s or 1m, not {text!r}")
    return found
