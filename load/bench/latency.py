"""What gathering adds to the time of a match at low traffic: `python -m load.bench.latency`.

Rounds with batches and rounds with matches one by one alternate, each on a lab of its own, so that
what others do on the machine meets both. Messages are due at drawn times, whatever the system does,
the same for both. The time of a match is from when it was due to its commit; both are of one clock.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from lab.experiment.plan import make_plan
from lab.substrates import registry
from lab.substrates.plan import Role
from lab.substrates.protocol import Endpoints
from lab.workload.publisher import LoadPublisher
from load.bench.backlog import WARM_UP, publish, wait_for_receipts
from load.bench.messages import observations
from system.contract.envelope import PUBLISHED_AT
from system.contract.submission import WORKERS_BATCH
from system.contract.topology import EXCHANGE, PROCESS_QUEUE

BATCH_SIZES = (1, WORKERS_BATCH)
PERCENTILES = (50, 95, 99)
WARM_UP_SEED, SEED = 1, 2


def measure(
    sink: str, *, rate: float, seconds: float, batch_size: int | None = None, workers: int = 1
) -> list[float]:
    """The milliseconds of each match, on a lab of its own: workers with two children each.

    Args:
        sink: `api` or `database`.
        rate: messages per second, in the mean.
        seconds: how long.
        batch_size: of the workers; None for their default.
    """
    env = {"MISSING_TABLE_SINK": sink}
    if batch_size is not None:
        env["MISSING_TABLE_BATCH_SIZE"] = str(batch_size)
    plan = make_plan(
        seed=7, matches=40, workers=workers, concurrency=2, settings={Role.WORKER: env}
    )
    with (
        tempfile.TemporaryDirectory() as folder,
        registry.find(registry.DEFAULT).opened(f"latency-{os.getpid()}", Path(folder)) as substrate,
        ExitStack() as ending,
    ):
        ending.callback(substrate.down)
        endpoints = substrate.up(plan)
        publish(endpoints.broker_urls["scraper"], WARM_UP, 1, WARM_UP_SEED)
        wait_for_receipts(endpoints.database_url, WARM_UP)
        count = round(rate * seconds)
        begun = datetime.now(UTC)
        _publish_when_due(endpoints, _due_times(count, rate))
        wait_for_receipts(endpoints.database_url, WARM_UP + count)
        return _milliseconds(endpoints, begun)


def _due_times(count: int, rate: float) -> list[float]:
    """Seconds from the begin, at random: some come close together, as from several pages."""
    rng = random.Random(SEED)
    now, times = 0.0, []
    for _ in range(count):
        now += rng.expovariate(rate)
        times.append(now)
    return times


def _publish_when_due(endpoints: Endpoints, due: Sequence[float]) -> None:
    publisher = LoadPublisher(
        endpoints.broker_urls["scraper"], EXCHANGE, PROCESS_QUEUE, lambda _: None
    )
    messages = list(observations(len(due), per_match=1, seed=SEED))
    publisher.work(0)  # connects
    start, started_at = time.monotonic(), datetime.now(UTC)
    for envelope, due_s in zip(messages, due, strict=True):
        while (left := start + due_s - time.monotonic()) > 0:
            publisher.work(left)
        due_at = started_at + timedelta(seconds=due_s)
        headers = {**envelope.headers, PUBLISHED_AT: due_at.isoformat()}
        publisher.queue.append(envelope.with_headers(headers))
    while publisher.pending:
        publisher.work(0.02)
    publisher.close()


def _milliseconds(endpoints: Endpoints, since: datetime) -> list[float]:
    with psycopg.connect(endpoints.database_url) as connection:
        rows = connection.execute(
            "SELECT extract(epoch FROM committed_at - published_at) * 1000 FROM receipts"
            " WHERE published_at >= %s",
            [since],
        )
        return [float(ms) for (ms,) in rows]


def summary(times_ms: Sequence[float]) -> dict[str, float]:
    """Mean and percentiles."""
    cuts = statistics.quantiles(times_ms, n=100)
    percentiles = {f"p{each}": round(cuts[each - 1], 1) for each in PERCENTILES}
    return {"mean": round(statistics.fmean(times_ms), 1), **percentiles}


def main() -> int:
    """Answer the command line."""
    parser = argparse.ArgumentParser(prog="python -m load.bench.latency", description=__doc__)
    parser.add_argument("--sink", choices=("api", "database"), default="api")
    parser.add_argument("--rate", type=float, default=100, help="messages per second")
    parser.add_argument("--seconds", type=float, default=20, help="of each round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    all_ms: dict[int, list[float]] = defaultdict(list)
    for number in range(given.rounds):
        for size in BATCH_SIZES[:: 1 if number % 2 == 0 else -1]:
            ms = measure(given.sink, rate=given.rate, seconds=given.seconds, batch_size=size)
            all_ms[size] += ms
            said = {"round": number + 1, "batch_size": size, "messages": len(ms), **summary(ms)}
            print(json.dumps(said), flush=True)  # noqa: T201
    for size in BATCH_SIZES:
        said = {"batch_size": size, "messages": len(all_ms[size]), **summary(all_ms[size])}
        print(json.dumps(said), flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
