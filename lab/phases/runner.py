"""Runs the experiments of one phase and writes down their results."""

from __future__ import annotations

import io
import json
import os
from contextlib import redirect_stdout
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.errors import CannotRun
from lab.experiment import plugin
from lab.experiment.plugin import Stage
from lab.experiment.runs import RUNS, new_folder
from lab.paths import PROJECT
from lab.phases import render
from lab.phases.recorder import Recorder, Say
from lab.phases.result import BECAUSE_MAX, Account
from lab.report import formatting
from lab.wait import stopwatch

LABS = Path(".lab")
SCENARIOS = PROJECT / "scenarios"
JSON_FILE, PAGE_FILE, LOG_FILE = "evidence.json", "evidence.md", "pytest.log"
_RAN = {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
_OPTIONS = (
    *("-c", str(PROJECT / "pyproject.toml"), "--rootdir", str(PROJECT)),
    # Instead of the usual options: everything, and no folders in the reader's place.
    *("-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:benchmark"),
    *("--strict-markers", "--tb=long"),
    # A test's time is its own; the start of a lab is bounded by itself, and slow in containers.
    *("-o", "timeout_func_only=true"),
)


def find(number: int, scenarios: Path = SCENARIOS) -> list[Path]:
    """The modules of a phase, in order.

    Raises:
        CannotRun: there are none; lists the phases.
    """
    found = sorted(scenarios.glob(f"test_phase{number}_*.py"))
    if not found:
        there = sorted(path.stem.removeprefix("test_") for path in scenarios.glob("test_phase*.py"))
        raise CannotRun(
            f"there is no phase {number} here; the phases are: {', '.join(there) or 'none'}"
        )
    return found


def run(
    number: int,
    modules: list[Path],
    substrate: str,
    *,
    say: Say,
    only: str = "",
    base: Path = LABS,
    runs: Path = RUNS,
) -> tuple[Account, Path]:
    """Run a phase; return what became of its claims, and the folder with the evidence.

    Args:
        modules: its experiments, see `find`.
        say: called with the progress, line by line.
        only: a part of a test's name, or pytest's `-k` expression; all if empty.
        base: where its labs are while they run.
        runs: where the run's folder is made.
    """
    folder = new_folder(f"phase{number}", runs).absolute()
    started = datetime.now(UTC)
    recorder = Recorder(Stage(base, folder / "labs", substrate, "phase"), say)
    with stopwatch() as seconds:
        trouble = _experiment(modules, recorder, folder / LOG_FILE, only)
        account = Account(
            phase=number,
            title=title(modules[0]),
            substrate=substrate,
            started=started,
            seconds=seconds(),
            claims=tuple(recorder.claims.values()),
            trouble=recorder.trouble or trouble,
        )
    content = json.dumps(account.as_dict(), indent=1, ensure_ascii=False, default=str)
    (folder / JSON_FILE).write_text(content + "\n", "utf-8")
    (folder / PAGE_FILE).write_text(render.markdown(account), "utf-8")
    return account, folder


class _Names:
    """Notes the names of the experiments that there are, and of those that were chosen."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self.chosen: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Before any is left out."""
        self.all = [each.name for each in items]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """What is left."""
        self.chosen = [each.name for each in session.items]


def check_choice(modules: list[Path], only: str) -> None:
    """See whether `only` chooses anything, before a run is made.

    Raises:
        CannotRun: it chooses none; lists what there is.
    """
    names = _Names()
    os.environ.pop("PYTEST_ADDOPTS", None)
    with redirect_stdout(io.StringIO()) as said:
        code = pytest.main(
            [*_OPTIONS, "--collect-only", "-q", "-k", only, *map(str, modules)],
            plugins=[plugin, names],
        )
    if names.chosen:
        return
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED) and not names.all:
        why = formatting.clean(said.getvalue(), BECAUSE_MAX)
        raise CannotRun(f"--only {only!r} cannot be read: {why}")
    there = "".join(f"\n  {name.removeprefix('test_')}" for name in names.all)
    raise CannotRun(f"no experiment matches --only {only!r}; there are:{there}")


def title(module: Path) -> str:
    """What a phase is about: the first line of its module, without the number and the stop."""
    first = module.read_text("utf-8").lstrip('"').split("\n", 1)[0].strip('"')
    return (first.partition(": ")[2] or first).rstrip(".")


def _experiment(modules: list[Path], recorder: Recorder, log: Path, only: str) -> str:
    """Let pytest run the modules; return why it could not, or nothing."""
    os.environ.pop("PYTEST_ADDOPTS", None)  # meant for another run of pytest
    chosen = ("-k", only) if only else ()
    with log.open("w", encoding="utf-8") as out, redirect_stdout(out):
        try:
            code = pytest.main([*_OPTIONS, *chosen, *map(str, modules)], plugins=[plugin, recorder])
        except Exception as error:  # what is left open when it is interrupted becomes an error
            return formatting.clean(f"pytest stopped with an error: {error!r}", BECAUSE_MAX)
    if code in _RAN:
        return ""
    if code == pytest.ExitCode.INTERRUPTED:
        return "it was interrupted"
    if code == pytest.ExitCode.NO_TESTS_COLLECTED:
        return f"no experiment matches {only!r}" if only else "there are no experiments"
    return f"pytest ended with code {int(code)}; see {log}"
