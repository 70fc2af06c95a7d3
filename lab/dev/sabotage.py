"""Tries every defect of `lab.sabotage.defects`, or those that are named: `make sabotage`.

Shows each result as it comes, then the table, and writes the results and their page. Exit code:
0 all caught and rightly named, 1 not all, 2 could not run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from lab.dev import durations, tiers
from lab.experiment.runs import RUNS, new_folder
from lab.paths import PROJECT
from lab.sabotage import result, table_page
from lab.sabotage.defects import DEFECTS
from lab.sabotage.judging import said
from lab.sabotage.recorder import Recorder
from lab.sabotage.result import Results
from lab.wait import stopwatch

TESTS = PROJECT / "scenarios" / "test_sabotage.py"
COLUMNS = 160
"""Where the output is no terminal."""
_RAN = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
_OPTIONS = (
    *("-c", str(PROJECT / "pyproject.toml"), "--rootdir", str(PROJECT)),
    *("-o", "addopts=", "-p", "lab.experiment.plugin", "-p", "lab.dev.ordering"),
    *("-p", "no:cacheprovider", "-p", "no:benchmark", "-p", "no:locust"),
    # The plugins are here already; the processes that run the tests load them in the usual way.
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),
)


def chosen(names: Sequence[str]) -> list[str]:
    """The tests of these defects and of their scenes; of all, if none is named.

    Raises:
        SystemExit: there is no such defect.
    """
    if not names:
        return [str(TESTS)]
    for name in names:
        if name not in DEFECTS:
            raise SystemExit(f"there is no defect {name!r}; there are: {', '.join(DEFECTS)}")
    scenes = dict.fromkeys(DEFECTS[name].scene.name for name in names)
    return [
        *(f"{TESTS}::test_without_a_defect_every_law_and_every_check_holds[{s}]" for s in scenes),
        *(f"{TESTS}::test_a_planted_defect_is_caught_and_rightly_named[{n}]" for n in names),
    ]


def run(names: Sequence[str], say: Console, jobs: int | None = None) -> int:
    """Try them; return the exit code.

    Args:
        jobs: how many labs there are at once; as many as of other tests, if left out.
    """
    tests = chosen(names)
    log = new_folder("sabotage", RUNS) / "pytest.log"
    recorder = Recorder(
        lambda line: say.print(line, markup=False, soft_wrap=True), f"{datetime.now(UTC):%Y-%m-%d}"
    )
    with stopwatch() as seconds:
        code = _pytest(tests, recorder, log, jobs or tiers.jobs("controls"))
        found = recorder.results()
        show(found, say)
        say.print(f"{durations.words(seconds())}; {log}", markup=False)
    if found.defects:  # also of a run that was interrupted
        result.write(result.read().of(DEFECTS).after(found))
        table_page.PAGE.write_text(table_page.page(), "utf-8")
        say.print(f"written: {table_page.PAGE.relative_to(PROJECT)}", markup=False)
    if recorder.trouble or code not in _RAN or not found.defects:
        say.print(recorder.trouble or f"pytest ended with code {code}; see {log}", markup=False)
        return 2
    return 0 if all(found.is_good(name, DEFECTS[name]) for name in found.defects) else 1


def show(found: Results, say: Console) -> None:
    """Print the table: defect, caught by, named rightly, how fast."""
    table = Table(box=None, pad_edge=False)
    for column in ("defect", "caught by", "named rightly", "valid without", "seconds"):
        table.add_column(column, justify="right" if column == "seconds" else "left")
    for name in (each for each in DEFECTS if each in found.defects):
        tried = found.defects[name]
        valid = found.valid_without(DEFECTS[name])
        twin = {None: "not tried", True: "yes", False: "NO"}[valid]
        named = "yes" if tried.word == "caught" else f"NO, {tried.word}"
        table.add_row(name, said(tried.red) or "nothing", named, twin, f"{tried.seconds:.1f}")
    say.print(table)
    good = sum(found.is_good(name, DEFECTS[name]) for name in found.defects)
    words = f"{good} of {len(found.defects)} defects were caught and rightly named"
    say.print(f"{words}, with a scene that is valid without them.", markup=False)
    for scene, played in found.scenes.items():
        if played.wrong:
            say.print(f"Without a defect, {scene}: {played.wrong}", markup=False)


def _pytest(tests: Sequence[str], recorder: Recorder, log: Path, jobs: int) -> int:
    os.environ.pop("PYTEST_ADDOPTS", None)  # meant for another run of pytest
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes from the same sources
    with log.open("w", encoding="utf-8") as out, redirect_stdout(out):
        return int(pytest.main([*_OPTIONS, "-n", str(jobs), *tests], plugins=[recorder]))


def main(arguments: Sequence[str]) -> int:
    """Try what the command line names; `--jobs N` first says how many at once."""
    jobs = None
    if list(arguments[:1]) == ["--jobs"]:
        jobs, arguments = int(arguments[1]), arguments[2:]
    # A descriptor of its own: pytest catches what is written to the usual one.
    with os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1) as terminal:
        width = None if terminal.isatty() else COLUMNS
        return run(arguments, Console(file=terminal, highlight=False, width=width), jobs)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
