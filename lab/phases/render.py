"""A phase on a terminal and as Markdown: each claim with its sign, and below it what was seen."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.checker.verdict import Verdict
from lab.phases.result import Account, Claim
from lab.report.formatting import format_value

COLUMNS_MAX = 100
_STYLES = {Verdict.VALID: "green", Verdict.INVALID: "bold red", Verdict.UNKNOWN: "yellow"}


def show(account: Account, console: Console, files: tuple[Path, ...] = ()) -> None:
    """Print the table of claims and, last, one line with the verdict.

    Readable without colour and within 100 columns.
    """
    parts: list[RenderableType] = ["", Text(headline(account), "bold"), ""]
    for claim in account.claims:
        parts += [*_claim(claim), ""]
    parts += [Text(f"  {_near(path)}", "dim") for path in files]
    verdict = account.verdict
    parts.append(
        Text.assemble((f"{verdict.sign} {verdict.upper()}", _STYLES[verdict]), f"  {account.why}")
    )
    console.print(Group(*parts), width=min(console.width, COLUMNS_MAX))


def headline(account: Account) -> str:
    """Which phase, where, and how long."""
    return (
        f"Phase {account.phase}: {account.title}  "
        f"({account.substrate} substrate, {account.seconds:.0f} s)"
    )


def _claim(claim: Claim) -> list[RenderableType]:
    row = Table.grid(padding=(0, 1))
    row.add_column(width=1)
    row.add_column()
    row.add_row(Text(claim.verdict.sign, _STYLES[claim.verdict]), Text(claim.text, "bold"))
    parts: list[RenderableType] = [row]
    if claim.because:
        word = "because" if claim.verdict is Verdict.INVALID else "not decided:"
        word = "not asked:" if claim.lacking else word
        parts.append(Padding(Text(f"{word} {claim.because}"), (0, 0, 0, 4)))
    if claim.seen:
        seen = Table.grid(padding=(0, 2))
        seen.add_column(max_width=50)
        seen.add_column(overflow="fold")
        for each in claim.seen:
            seen.add_row(Text(each.what, "dim"), Text(format_value(each.value)))
        parts.append(Padding(seen, (0, 0, 0, 4)))
    return parts


def markdown(account: Account) -> str:
    """The same as a page, with how each experiment is done."""
    verdict = account.verdict
    lines = [f"# {headline(account)}", "", f"**{verdict.sign} {verdict.upper()}**: {account.why}."]
    for claim in account.claims:
        lines += ["", f"## {claim.verdict.sign} {claim.text}", ""]
        if claim.experiment:
            lines += [claim.experiment, ""]
        if claim.because:
            lines += [f"*{claim.because}*", ""]
        if claim.seen:
            lines += ["| what was seen | |", "|---|---|"]
            lines += [
                f"| {_cell(each.what)} | {_cell(format_value(each.value))} |" for each in claim.seen
            ]
            lines.append("")
        lines.append(f"`{claim.name}`, {claim.seconds:.1f} s")
    return "\n".join(lines) + "\n"


def _near(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _cell(text: str) -> str:
    """Text that does not end its cell, nor begin markup."""
    for char in "\\|`*_<":
        text = text.replace(char, f"\\{char}")
    return text
