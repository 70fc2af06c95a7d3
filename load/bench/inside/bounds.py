"""What the bounds on connections cost: `python -m load.bench.inside.bounds`.

Two backends, with and without them, take the same requests in turn, so that a change of the
machine's load meets both.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import psutil
import typer

from system.backend import migrations
from system.backend.tests.messages import message
from system.backend.tests.postgres import running_server
from system.backend.tests.processes import started
from system.backend.tests.serving import TOKEN

WITHOUT = "system.tests.weakened.unbounded"
CLIENTS, EACH = 4, 250
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


def main(rounds: int = 8) -> None:
    """Print requests a second and processor time a request of both kinds, and their ratio."""
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    busy: dict[str, list[float]] = {"without": [], "with": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = stack.enter_context(running_server()).url("postgres")
        migrations.upgrade(url)
        backends = {
            "without": stack.enter_context(started(url, folder / "without", wrapper=WITHOUT)),
            "with": stack.enter_context(started(url, folder / "with")),
        }
        for round_ in range(rounds + 1):
            for kind in sorted(backends, reverse=bool(round_ % 2)):
                client, process = backends[kind]
                taken, used = _round(client.port, process, f"{kind}-{round_}")
                if round_:  # the first one only warms up
                    seconds[kind].append(taken)
                    busy[kind].append(used)
    for kind in seconds:
        rates = [CLIENTS * EACH / each for each in seconds[kind]]
        costs = [each / CLIENTS / EACH * 1000 for each in busy[kind]]
        typer.echo(f"{kind}: {_spread(rates)} requests/s, {_spread(costs)} ms of processor each")
    pairs = zip(busy["with"], busy["without"], strict=True)
    typer.echo(f"with/without, processor, by round: {_spread([a / b for a, b in pairs])}")


def _spread(values: list[float]) -> str:
    """The median, and the quartiles."""
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _round(port: int, process: psutil.Process, name: str) -> tuple[float, float]:
    """Post with all clients at once; return the seconds, and those of the processor."""
    before, begun = sum(process.cpu_times()[:2]), time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda number: _post(port, f"{name}-{number}"), range(CLIENTS)))
    return time.perf_counter() - begun, sum(process.cpu_times()[:2]) - before


def _post(port: int, name: str) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    for number in range(EACH):
        posted = message(f"{name}-{number}", external_match_id=name, minute=number)
        connection.request(
            "POST", "/api/matches", json.dumps(posted.model_dump(mode="json")), HEADERS
        )
        answer = connection.getresponse()
        answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{name}-{number}: answered {answer.status}")
    connection.close()


if __name__ == "__main__":
    typer.run(main)
