"""The command `lab runs`: what past runs came to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from lab.checker import verdict
from lab.cli.options import AsJson, out
from lab.experiment.runs import RUNS, folders
from lab.paths import lab_command

VERDICTS = (verdict.FILE, "evidence.json")
"""What says how a run ended: a run's own, or a phase's."""
PAGES = ("report.html", "evidence.md", "chaos.html")
_SIGNS = {"valid": "✓", "invalid": "✗", "unknown": "?"}


@dataclass(frozen=True, slots=True)
class Run:
    """A past run, as it can be told from its folder.

    Attributes:
        verdict: `valid`, `invalid`, `unknown`; empty if it left none (it goes on, or was killed).
        accepted: how many messages; None for one that does not count any.
        page: what to open; None if there is nothing.
    """

    folder: str
    name: str
    begun: str
    verdict: str
    accepted: int | None
    seconds: float | None
    page: str | None


def runs(
    every: Annotated[bool, typer.Option("--all", help="Not only the last 20.")] = False,
    as_json: AsJson = False,
) -> None:
    """List past runs with their verdicts, the newest last."""
    found = [read(folder) for folder in folders(RUNS)]
    if as_json:
        out.print_json(data=[asdict(each) for each in found])
        return
    if not found:
        out.print(f"No run is kept in {RUNS}/ yet; `{lab_command('run')}` makes one.")
        return
    table = Table("", "begun (UTC)", "took", "accepted", box=None)
    table.add_column("run", overflow="fold")
    for run in found if every else found[-20:]:
        table.add_row(
            Text(_SIGNS.get(run.verdict, "-")),
            run.begun,
            "-" if run.seconds is None else f"{run.seconds:.0f} s",
            "-" if run.accepted is None else f"{run.accepted:,}",
            Text(run.folder),
        )
    out.print(table)
    out.print("✓ valid  ✗ invalid  ? unknown  - no verdict: it goes on, or was killed")
    newest = next((run.page for run in reversed(found) if run.page), None)
    if newest:
        out.print(f"To look at the newest, open {newest}", markup=False)


def read(folder: Path) -> Run:
    """What a folder says of its run; what cannot be read is left empty."""
    stamp, _, name = folder.name.partition("-")
    try:
        begun = f"{datetime.strptime(stamp, '%Y%m%dT%H%M%S').replace(tzinfo=UTC):%d %b %H:%M:%S}"
    except ValueError:
        begun = stamp
    said = next((content for each in VERDICTS if (content := _json(folder / each))), {})
    counts, seconds = said.get("counts"), said.get("seconds")
    accepted = counts.get("accepted") if isinstance(counts, dict) else None
    word = said.get("verdict")
    return Run(
        str(folder),
        name,
        begun,
        word if isinstance(word, str) and word in _SIGNS else "",
        accepted if isinstance(accepted, int) else None,
        float(seconds) if isinstance(seconds, int | float) else None,
        next((str(folder / page) for page in PAGES if (folder / page).exists()), None),
    )


def _json(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
