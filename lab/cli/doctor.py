"""The command `lab doctor`: what a machine has and lacks, and what brings what is missing."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.markup import escape
from rich.table import Table

from lab.cli.options import COULD_NOT_RUN, AsJson, ContextName, SubstrateName, out
from lab.errors import CannotRun
from lab.substrates import registry
from lab.substrates.provider import GOOD, MISSING, WARNING, Examines, Finding


def doctor(
    substrate: SubstrateName = registry.DEFAULT,
    context: ContextName = None,
    as_json: AsJson = False,
) -> None:
    """Say what this machine has and lacks; or a cluster, if a context names one.

    Exit code: 0 all there, 2 something is missing.
    """
    if context and substrate == registry.DEFAULT:
        substrate = registry.ON_A_CLUSTER
    provider = registry.find(substrate)
    if not isinstance(provider, Examines):
        raise CannotRun(f"the substrate {substrate!r} cannot say what it needs of this machine")
    findings = provider.examine()
    if as_json:
        out.print_json(data=as_dict(findings))
    else:
        out.print(as_table(findings))
    raise typer.Exit(0 if is_well(findings) else COULD_NOT_RUN)


def is_well(findings: list[Finding]) -> bool:
    """Whether the lab can run on this machine."""
    return all(each.state != MISSING for each in findings)


def as_dict(findings: list[Finding]) -> dict[str, object]:
    """As JSON, for programs."""
    return {"well": is_well(findings), "findings": [asdict(each) for each in findings]}


def as_table(findings: list[Finding]) -> Table:
    """As a table, for people."""
    table = Table("", "what", "found", "what to do", box=None)
    signs = {GOOD: "[green]✓[/green]", WARNING: "[yellow]![/yellow]", MISSING: "[red]✗[/red]"}
    for each in findings:
        table.add_row(signs[each.state], each.what, escape(each.found), escape(each.cure))
    return table
