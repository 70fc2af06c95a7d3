"""How much this machine takes, and what a larger feed would need: `lab capacity`.

Measures some minutes, then fits, predicts, and checks the predictions on runs that the fit has not
seen. Figures go to `.runs/capacity/<time>/capacity.json`. Exit code: 0; 1 if a prediction is wrong;
2 if something could not be measured.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lab.errors import LabError
from load.bench import kept as folders
from load.capacity import kept, model, page
from load.capacity.measure import measure


def main() -> int:
    """Answer the command line."""
    parser = argparse.ArgumentParser(prog="lab capacity", description=__doc__)
    parser.add_argument("--sink", choices=("api", "database"), default="api")
    parser.add_argument("--messages", type=int, default=4000, help="that wait in each turn")
    parser.add_argument("--target", type=float, default=500.0, help="messages a second to plan for")
    parser.add_argument("--figures", type=Path, help="of an earlier run, instead of measuring")
    given = parser.parse_args()
    figures = given.figures
    try:
        if figures is None:
            folder = folders.new_folder(kept.FOLDER)
            measured = measure(given.sink, given.messages, folder, _say)
            figures = kept.write(measured, folder)
        else:
            measured = kept.read(figures)
    except LabError as error:
        print(f"capacity: {error}", file=sys.stderr)  # noqa: T201
        return 2
    _say("\n" + "\n".join(page.lines(measured, given.target)))
    _say(f"\nfigures: {figures}")
    return 0 if all(each.holds for each in model.predictions(measured)) else 1


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
