"""The report of a run: check its history, and write `verdict.json` and `report.html` beside it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from rich.console import Console

from lab.checker import check as auditing
from lab.checker import verdict
from lab.checker.check import Audit
from lab.errors import LabError
from lab.history import log
from lab.paths import lab_command
from lab.report import terminal

PAGE_FILE = "report.html"
EVIDENCE = (verdict.FILE, log.FILE, "logs", "prometheus")


class ReportError(LabError):
    """The page of a run cannot be written."""


def conclude(run_folder: Path) -> Audit:
    """Check the run in a folder, and write its verdict and its page there.

    A history that is missing or broken, and a checker that crashes, give the verdict unknown, with
    the reason. `verdict.json` is written first, so that a failure of the page cannot prevent it.

    Raises:
        VerdictError: `verdict.json` cannot be written.
        ReportError: `report.html` cannot be written.
    """
    name = run_folder.resolve().name or "run"
    try:
        audit = auditing.audit(log.read(run_folder / log.FILE), name=name)
        verdict.check(auditing.as_document(audit))
    except LabError as error:
        audit = auditing.undecided(f"the history cannot be judged: {error}", name=name)
    except Exception as error:  # a checker that crashed has decided nothing
        audit = auditing.undecided(f"the audit failed: {error!r}", name=name)
    verdict.write(auditing.as_document(audit), run_folder / verdict.FILE)
    # Altair is slow to import, and only this needs it: the lab's other commands start faster.
    from lab.report import html

    try:
        # Half a surrogate pair cannot be encoded as UTF-8; the page gets a question mark instead.
        (run_folder / PAGE_FILE).write_text(
            html.render(audit, _beside(run_folder)), "utf-8", "replace"
        )
    except OSError as error:
        raise ReportError(f"cannot write {run_folder / PAGE_FILE}: {error}") from error
    return audit


def cut_short(run_folder: Path, console: Console) -> None:
    """Conclude a run that was ended before its end, and say what is kept of it."""
    with suppress(LabError):
        conclude(run_folder)
    again = lab_command("report", str(run_folder))
    console.print(f"\nCut short. What was recorded so far is in {run_folder};", markup=False)
    console.print(f"`{again}` judges it.", markup=False)


def _beside(run_folder: Path) -> list[str]:
    """What of the evidence is there, for links of the page."""
    return [name for name in EVIDENCE if (run_folder / name).exists()]


def show(audit: Audit, console: Console, run_folder: Path | None = None) -> None:
    """Print the verdict for people, in at most 100 columns; with the files of `run_folder`."""
    names = (verdict.FILE, PAGE_FILE, log.FILE)
    files = () if run_folder is None else tuple(run_folder / name for name in names)
    terminal.print_audit(audit, console, files)
