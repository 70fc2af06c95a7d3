"""The command `lab browse`: a finished run's series in Prometheus, to look at by hand."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated
from urllib.parse import urlencode

import requests
import typer

from lab.cli.options import out
from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.extent import Extent, extent
from lab.clients.prometheus.results import NoData
from lab.errors import CannotRun
from lab.experiment.runs import with_series
from lab.substrates import registry

_LATENCY = "missing_table_message_latency_seconds"
PLOTS = {
    "matches stored each second": (
        "sum by (effect) (rate(missing_table_effects_total[5s]))",
        "sum by (reason) (rate(missing_table_dead_lettered_total[5s]))",
    ),
    "latency, mean and 99th percentile": (
        f"sum(rate({_LATENCY}_sum[5s])) / sum(rate({_LATENCY}_count[5s]))",
        f"histogram_quantile(0.99, sum by (le) (rate({_LATENCY}_bucket[5s])))",
    ),
    "queues": ("sum by (queue) (rabbitmq_detailed_queue_messages)",),
    "what was scraped": ("up",),
}
"""What a person looks at first, by what it shows. Rates are over five scrapes of a lab."""
TIMEOUT_S = 10.0
MARGIN_S = 5.0
"""Shown before the first scrape."""


def browse(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A run's folder.", show_default="the latest that has any series"),
    ] = None,
) -> None:
    """Serve a finished run's series in a Prometheus of its own, until Ctrl-C.

    It is a copy that is served, on this machine only: what the run left stays as it is. Exit code:
    0, or 2 if there are no series.
    """
    run, series = with_series(folder)
    with _until_told() as told, registry.stored_series(series) as url:
        try:
            with Prometheus(url) as asked:
                whole = extent(asked, series)
        except NoData as error:
            raise CannotRun(str(error)) from error
        until = datetime.fromtimestamp(whole.last, UTC)
        seconds = whole.last - whole.first
        out.print(f"The series of {run}: {seconds:.0f} s until {until:%Y-%m-%d %H:%M:%S} UTC.")
        page = _page(url)
        for what, queries in PLOTS.items():
            out.print(f"  {what}: {address(page, queries, whole)}", markup=False)
        out.print("Ctrl-C ends it; the series stay.")
        told.wait()


def address(page: str, queries: tuple[str, ...], whole: Extent) -> str:
    """Where Prometheus plots the queries over a run. Pure."""
    ends_at = 60 * math.ceil(whole.last / 60)  # the page knows whole minutes only
    end = datetime.fromtimestamp(ends_at, UTC)
    span_s = math.ceil(ends_at - whole.first + MARGIN_S)
    asked: dict[str, str] = {}
    for number, query in enumerate(queries):
        asked |= {
            f"g{number}.expr": query,
            f"g{number}.tab": "0",
            f"g{number}.range_input": f"{span_s}s",
            f"g{number}.end_input": f"{end:%Y-%m-%d %H:%M:%S}",
        }
    return f"{page}?{urlencode(asked)}"


def _page(url: str) -> str:
    """Where this Prometheus plots: the package of Debian has its classic page only."""
    classic = f"{url}/classic/graph"
    return classic if requests.get(classic, timeout=TIMEOUT_S).ok else f"{url}/graph"


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, for the block."""
    told = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        told.set()

    before = {each: signal.signal(each, tell) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield told
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
