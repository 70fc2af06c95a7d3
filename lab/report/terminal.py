"""The verdict on a terminal: short, readable without colour, within 100 columns."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.checker.check import Audit
from lab.checker.verdict import Verdict
from lab.report import formatting

COLUMNS_MAX = 100
_NAME_COLUMNS = 30
"""A longer name goes on in the next line: cut short, two of them look the same."""

_STYLES = {Verdict.VALID: "green", Verdict.INVALID: "bold red", Verdict.UNKNOWN: "yellow"}


def print_audit(audit: Audit, console: Console, files: tuple[Path, ...] = ()) -> None:
    """Print the verdict, the findings behind it, and the names of the files."""
    parts: list[RenderableType] = ["", _headline(audit)]
    if audit.verdict is not Verdict.VALID:
        parts.append(Padding(Text(f"because {formatting.clean(audit.why, 500)}"), (0, 0, 0, 2)))
    parts.append("")
    if audit.findings:
        parts += [_findings(audit), "", _numbers(audit)]
    if files:
        parts += ["", *(Text(f"  {formatting.clean(str(path))}", "dim") for path in files)]
    console.print(Group(*parts), width=min(console.width, COLUMNS_MAX))


def _headline(audit: Audit) -> Text:
    about = [
        formatting.clean(audit.name, 60),
        formatting.clean(audit.substrate or "substrate unknown", 20),
    ]
    about += [] if audit.seed is None else [f"seed {audit.seed}"]
    about.append(f"{audit.seconds:.1f} s")
    return Text.assemble(
        (f"{audit.verdict.sign} {audit.verdict.upper()}", _STYLES[audit.verdict]),
        "  ",
        " · ".join(about),
    )


def _findings(audit: Audit) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(width=3, justify="right")
    table.add_column(max_width=_NAME_COLUMNS)
    table.add_column()
    for finding in audit.findings:
        text = finding.explanation
        if finding.examples and finding.verdict is not Verdict.VALID:
            text += f" For example: {', '.join(finding.examples[:3])}"
        table.add_row(
            _mark(finding.verdict),
            f"{finding.law} {finding.title}",
            Text(formatting.clean(text, 500)),
        )
    for check in audit.checks:
        name = formatting.clean(check.name, 3 * _NAME_COLUMNS)
        table.add_row(_mark(check.verdict), Text(name), Text(formatting.clean(check.detail)))
    for objective in audit.objectives:
        sign = Text(formatting.sign(objective), _STYLES[objective.verdict])
        goal = formatting.format_goal(objective)
        goal = " (no objective)" if objective.objective is None else f", asked for {goal}"
        text = formatting.format_measured(objective) + goal
        table.add_row(
            sign, formatting.OBJECTIVE_NAMES[objective.name], f"{text}; {objective.explanation}"
        )
    return table


def _numbers(audit: Audit) -> Table:
    counts, latency = audit.counts, audit.latency
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column()
    table.add_row(
        "  messages",
        f"{counts.attempted:,} attempted, {counts.accepted:,} accepted: "
        f"{counts.committed:,} committed, {counts.unchanged:,} unchanged, "
        f"{counts.dead_lettered:,} dead-lettered, {counts.waiting:,} waiting, "
        f"{counts.lost:,} lost, {counts.undecided:,} undecided",
    )
    table.add_row(
        "",
        f"{counts.duplicated:,} duplicated, {counts.unexpected:,} unexpected, "
        f"{counts.recovered:,} recovered, {counts.refused:,} refused, "
        f"{counts.unconfirmed:,} unconfirmed"
        + (f"; {counts.others:,} sent by others" if counts.others else ""),
    )
    ms = formatting.milliseconds
    latency_text = (
        "no message ended"
        if latency is None
        else f"mean {ms(latency.mean)}, p50 {ms(latency.p50)}, p95 {ms(latency.p95)}, "
        f"p99 {ms(latency.p99)}, max {ms(latency.max)}"
    )
    arrivals, effects = map(formatting.per_second, (audit.arrivals_per_s, audit.throughput_per_s))
    table.add_row("  latency", f"{latency_text} at {arrivals} arriving, {effects} taking effect")
    return table


def _mark(verdict: Verdict) -> Text:
    return Text(verdict.sign, _STYLES[verdict])
