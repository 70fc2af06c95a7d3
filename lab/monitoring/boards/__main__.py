"""Writes the boards as JSON: `python -m lab.monitoring.boards`.

With `--check` it only looks whether the files are up to date; exit code 1 where they are not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from lab.monitoring.boards import chaos, overview, rabbitmq, slo, workers
from lab.monitoring.boards.board import page

FOLDER = Path(__file__).parents[1] / "dashboards"
BOARDS = (overview, rabbitmq, workers, slo, chaos)


def pages() -> dict[Path, str]:
    """What each file should hold."""
    return {FOLDER / f"{made.name}.json": page(made) for made in (each.board() for each in BOARDS)}


def main(arguments: Sequence[str]) -> int:
    """Write the files, or look at them; return the exit code."""
    if list(arguments) not in ([], ["--check"]):
        print("usage: python -m lab.monitoring.boards [--check]", file=sys.stderr)  # noqa: T201
        return 2
    wanted = pages()
    there = {path: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    if arguments:
        stale = sorted(
            path.name for path in {*wanted, *there} if wanted.get(path) != there.get(path)
        )
        if stale:
            print(  # noqa: T201
                f"{', '.join(stale)} in {FOLDER}: not up to date, run `make docs`",
                file=sys.stderr,
            )
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for path in there.keys() - wanted.keys():
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
