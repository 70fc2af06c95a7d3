"""When the series of a run begin and end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData, NoDataReason


@dataclass(frozen=True, slots=True)
class Extent:
    """From the first sample to the last, seconds since the epoch."""

    first: float
    last: float


def extent(prometheus: Prometheus, folder: Path) -> Extent:
    """When the stored series begin and end, according to their scrapes.

    Args:
        prometheus: serves the series.
        folder: holds them; its blocks say roughly when to look.

    Raises:
        NoData: nothing was scraped.
    """
    head = prometheus.head()
    spans = [] if head is None else [head]
    for meta in folder.glob("*/meta.json"):
        block = json.loads(meta.read_text("utf-8"))
        spans.append((block["minTime"] / 1000, block["maxTime"] / 1000))
    if not spans:
        raise NoData(NoDataReason.EMPTY, f"nothing was scraped into {folder}")
    begin, end = min(first for first, _ in spans), max(last for _, last in spans)
    step_s = max(1.0, (end - begin) / 10_000)
    seen = prometheus.range("max(timestamp(up))", begin, end + step_s, step_s)
    moments = [value for series in seen for _, value in series.points]
    if not moments:
        raise NoData(NoDataReason.EMPTY, f"no scrape was recorded in {folder}")
    return Extent(min(moments), max(moments))
