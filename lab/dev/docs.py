"""Writes every file that is made from code: `python -m lab.dev.docs [--check]`.

With `--check` it only looks whether they are up to date; exit code 1 if one is not.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.dev import chart, faults_page, layout, mutants_page, rules, substrates_page, tests_page
from lab.monitoring.dashboards import files as dashboards
from lab.paths import PROJECT
from lab.sabotage import page as guards
from lab.sabotage import table_page as sabotage

Pages = Callable[[], Mapping[Path, str]]
GENERATORS: tuple[Pages, ...] = (
    lambda: {guards.FILE: guards.render()},
    lambda: {sabotage.PAGE: sabotage.page()},
    lambda: {mutants_page.FILE: mutants_page.page()},
    lambda: {faults_page.FILE: faults_page.page()},
    lambda: {substrates_page.FILE: substrates_page.page()},
    rules.pages,
    lambda: {tests_page.FILE: tests_page.page()},
    dashboards.pages,
    layout.pages,
    chart.pages,
)
"""Each gives files and what they should hold."""
ONLY_GENERATED = {
    dashboards.FOLDER: "*.json",
    chart.FILES / "rules": "*.yaml",
    chart.FILES / "dashboards": "*.json",
}
"""Folders where a file that no generator makes any more is removed."""
SYSTEM = (sys.executable, "-m", "system.reference")
"""The system writes its own reference; the lab calls it as anybody else would."""


def wanted() -> dict[Path, str]:
    """Every file that the lab makes from code, and what it should hold."""
    return {path: text for pages in GENERATORS for path, text in pages().items()}


def stale(pages: Mapping[Path, str]) -> list[Path]:
    """The files that do not hold what they should, or should not be there."""
    wrong = [
        path for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text
    ]
    return sorted([*wrong, *_left_over(pages)])


def write(pages: Mapping[Path, str]) -> None:
    """Write every file, and remove those that nothing makes any more."""
    for path in _left_over(pages):
        path.unlink()
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def _left_over(pages: Mapping[Path, str]) -> list[Path]:
    there = (path for folder, names in ONLY_GENERATED.items() for path in folder.glob(names))
    return [path for path in there if path not in pages]


def main(arguments: Sequence[str]) -> int:
    """Write the files, or look at them; return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: python -m lab.dev.docs [--check]", file=sys.stderr)  # noqa: T201
        return 2
    pages = wanted()
    system = subprocess.run([*SYSTEM, *arguments], cwd=PROJECT, timeout=60, check=False).returncode
    if not arguments:
        write(pages)
        return system
    wrong = stale(pages)
    for path in wrong:
        print(f"{path.relative_to(PROJECT)} is not up to date: run `make docs`", file=sys.stderr)  # noqa: T201
    return 1 if wrong or system else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
