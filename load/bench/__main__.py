"""All measurements that fit into a quarter of an hour: `make bench`.

The ways to publish; the pipeline beside other libraries; one, two and four workers; latency at 30,
60 and 90 % of what two workers take. Figures go to `.runs/bench/<time>/` as JSON, and with
`--write` also into docs/performance.md. Exit code: 0; 1 if something has no number.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.errors import CannotRun
from lab.paths import PROJECT
from load.bench import kept, latency, tables
from load.bench.compare import contenders, rounds
from load.bench.compare.__main__ import say as say_turn
from load.bench.compare.pipeline import Pipeline
from load.bench.compare.turn import Turn, take

PAGE = PROJECT / "docs" / "performance.md"
SHARES = (0.3, 0.6, 0.9)
WORKERS = (1, 2, 4)
LATENCY_S = 8.0
LATENCY_SINK = "api"


def publishing(folder: Path) -> dict[str, float]:
    """Messages confirmed per second, by way; measured by pytest-benchmark."""
    out = folder.resolve() / "publishing.json"
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-o", "addopts=", "-p", "lab.experiment.plugin"),
            *("-p", "no:locust", "-q", "--benchmark-only", f"--benchmark-json={out}"),
            "load/bench/inside",
        ],
        cwd=PROJECT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found = json.loads(out.read_text())["benchmarks"]
    return {tables.way(each): each["extra_info"]["messages_per_s"] for each in found}


def by_workers(messages: int, folder: Path) -> list[tuple[int, Turn]]:
    """Both sinks with one, two and four workers, a turn each."""
    done = []
    for workers in WORKERS:
        for sink in ("api", "database"):
            place = folder / f"workers-{workers}-{sink}"
            place.mkdir()
            done.append((workers, take(Pipeline(sink, workers=workers), messages, place)))
            _say(f"  {workers} workers:")
            say_turn(done[-1][1])
    return done


def latencies(saturation: float) -> dict[float, dict[str, float]]:
    """Milliseconds from due to committed, by share of the saturation."""
    found = {}
    for share in SHARES:
        ms = latency.measure(LATENCY_SINK, rate=share * saturation, seconds=LATENCY_S, workers=2)
        found[share] = {"per_s": round(share * saturation), **latency.summary(ms)}
        _say(f"  {share:.0%}: {found[share]}")
    return found


def main() -> int:
    """Answer the command line."""
    parser = rounds.parser("python -m load.bench", __doc__)
    parser.add_argument("--write", action="store_true", help="also into docs/performance.md")
    given = parser.parse_args()
    begun = time.monotonic()
    try:
        chosen = contenders.all_of_them()
    except CannotRun as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    folder = kept.new_folder()
    found: dict[str, Any] = {"machine": kept.machine(), "versions": contenders.versions()}
    found |= {"messages": given.messages, "rounds": given.rounds, "seed": given.seed}

    _say("messages confirmed a second, by way to publish:")
    ways = found["publishing"] = publishing(folder)
    for name, per_s in ways.items():
        _say(f"  {name}: {per_s:,}/s")
    _say(f"a backlog of {given.messages:,}, {given.rounds} rounds:")
    done = rounds.run(
        chosen,
        messages=given.messages,
        rounds=given.rounds,
        seed=given.seed,
        folder=folder,
        say=say_turn,
    )
    found["compare"] = [[asdict(turn) for turn in turns] for turns in done]
    _say("by the number of workers, two children each:")
    scaled = by_workers(given.messages, folder)
    found["workers"] = [{"workers": workers, **asdict(turn)} for workers, turn in scaled]
    saturation = tables.saturation(done, f"pipeline, {LATENCY_SINK} sink")
    if saturation:
        _say(f"milliseconds from due to committed, two workers, shares of {saturation:,.0f}/s:")
        found["latency"] = latencies(saturation)
    found["seconds"] = round(time.monotonic() - begun)
    (folder / "bench.json").write_text(json.dumps(found, indent=1))

    lines = tables.page(found, done, scaled)
    _say("\n".join(["", *lines, "", f"figures: {folder / 'bench.json'}"]))
    if given.write:
        PAGE.write_text(tables.written_into(PAGE.read_text("utf-8"), lines), "utf-8")
    turns = [turn for each in done for turn in each] + [turn for _, turn in scaled]
    return 0 if all(turn.per_s for turn in turns) else 1


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
