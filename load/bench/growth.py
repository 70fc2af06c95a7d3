"""How it grows with the queue and with the table: `python -m load.bench.growth`, `make bench-long`.

Backlogs of growing length, each on a lab of its own; then backlogs of one length on one lab, whose
table is filled in between, by the pipeline itself.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from load.bench import kept
from load.bench.compare.pipeline import Pipeline
from load.bench.compare.turn import SEED, opened, take

QUEUES = (1_000, 5_000, 20_000, 60_000)
ROWS = (0, 50_000, 150_000, 300_000)
BACKLOG = 5_000
FILLING = 25_000
"""So many messages at once while the table is filled."""
WITHIN_S = 900.0


def by_queue(sink: str, folder: Path) -> Iterator[dict[str, Any]]:
    """The rate by the number of messages that wait."""
    for waiting in QUEUES:
        place = folder / f"queue-{sink}-{waiting}"
        place.mkdir()
        turn = take(Pipeline(sink), waiting, place, within_s=WITHIN_S)
        yield {
            "sink": sink,
            "waiting": waiting,
            "per_s": turn.per_s,
            "cpu_us": turn.cpu_us_total,
            "complaints": turn.complaints,
        }


def by_table(sink: str, folder: Path) -> Iterator[dict[str, Any]]:
    """The rate by the number of matches in the table before.

    There is no verdict: the record of so many messages would take longer than all of the rest.
    """
    place = folder / f"table-{sink}"
    place.mkdir()
    with opened(Pipeline(sink), place) as up:
        up.warm_up()
        seed = SEED
        for rows in ROWS:
            while up.receipts < rows:
                seed += 1
                up.drain(min(FILLING, rows - up.receipts), seed=seed, within_s=WITHIN_S)
            before, seed = up.receipts, seed + 1
            drained = up.drain(BACKLOG, seed=seed, within_s=WITHIN_S)
            yield {
                "sink": sink,
                "rows": before,
                "per_s": round(BACKLOG / drained.seconds, 1),
                "cpu_us": round(sum(drained.cpu_us.values()), 1),
            }


def main() -> int:
    """Answer the command line: 0, or 1 if something has no number."""
    parser = argparse.ArgumentParser(prog="python -m load.bench.growth", description=__doc__)
    parser.add_argument("--sink", choices=("api", "database", "both"), default="both")
    given = parser.parse_args()
    folder = kept.new_folder()
    found: list[dict[str, Any]] = []
    for sink in ("api", "database") if given.sink == "both" else (given.sink,):
        for measured in (by_queue(sink, folder), by_table(sink, folder)):
            for each in measured:
                found.append(each)
                print(json.dumps(each), flush=True)  # noqa: T201
    document = {"machine": kept.machine(), "growth": found}
    (folder / "growth.json").write_text(json.dumps(document, indent=1))
    print(f"figures: {folder / 'growth.json'}")  # noqa: T201
    return 0 if all(each["per_s"] for each in found) else 1


if __name__ == "__main__":
    sys.exit(main())
