"""The comparison alone: `python -m load.bench.compare`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from lab.errors import CannotRun
from load.bench import kept
from load.bench.compare import contenders, figures, rounds
from load.bench.compare.turn import Turn


def say(turn: Turn) -> None:
    """Print a turn in one line."""
    shown = f"{turn.per_s:,.0f}/s" if turn.per_s else f"no number: {'; '.join(turn.complaints)}"
    cost = f", {turn.cpu_us_total:,.0f} µs of processor a message" if turn.cpu_us_total else ""
    print(f"  {turn.contender}: {shown}{cost}", flush=True)  # noqa: T201


def main() -> int:
    """Answer the command line: 0, or 1 if somebody has no number."""
    parser = rounds.parser("python -m load.bench.compare", __doc__)
    parser.add_argument("--only", action="append", help="part of a contender's name")
    parser.add_argument("--folder", type=Path, help="default: a new one below .runs/bench")
    given = parser.parse_args()
    try:
        chosen = [
            each
            for each in contenders.all_of_them()
            if not given.only or any(part in each.name for part in given.only)
        ]
    except CannotRun as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    folder = given.folder or kept.new_folder()
    done = rounds.run(
        chosen,
        messages=given.messages,
        rounds=given.rounds,
        seed=given.seed,
        folder=folder,
        say=say,
    )
    (folder / "compare.json").write_text(
        json.dumps([[asdict(turn) for turn in turns] for turns in done], indent=1)
    )
    print("\n".join(figures.table(done)))  # noqa: T201
    return 0 if all(turn.per_s for turns in done for turn in turns) else 1


if __name__ == "__main__":
    sys.exit(main())
