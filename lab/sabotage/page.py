"""The page of how messages fail here, what prevents it, and which test shows it.

`make docs` writes docs/reference/guards.md from `lab.sabotage.guards`. A test checks that all the
places and tests that are named there exist.
"""

from __future__ import annotations

from lab.paths import PROJECT
from lab.sabotage.guards import GUARDS

FILE = PROJECT / "docs" / "reference" / "guards.md"


def render() -> str:
    """The page, as Markdown."""
    lines = [
        "# Guards",
        "",
        "How a pipeline of Celery and RabbitMQ loses, duplicates or delays messages, what prevents",
        "it here, and the tests that show it. Run one by `.venv/bin/pytest <test>`.",
        "",
        "Written by `make docs` from `lab/sabotage/guards.py`: change it there.",
    ]
    for chapter, guards in GUARDS.items():
        lines += ["", f"## {chapter}", "", "| what happens | guard | shown by |", "|---|---|---|"]
        lines += [
            f"| {guard.finding} | {_listed(guard.places)} | {_listed(guard.tests)} |"
            for guard in guards
        ]
    return "\n".join(lines) + "\n"


def _listed(names: tuple[str, ...]) -> str:
    return "<br>".join(f"`{name}`" for name in names)
