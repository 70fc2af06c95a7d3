"""How tests look at metrics: a page taken apart, a server asked, a folder read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import urllib3
from prometheus_client import Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from system.metrics.definitions import MetricFactory
from system.metrics.folder import open_folder


def series(metrics: Iterable[Metric]) -> dict[str, float]:
    """Each series by its name without prefix and its labels' values, the labels sorted."""
    return {
        " ".join(
            (
                sample.name.removeprefix("missing_table_"),
                *(value for _, value in sorted(sample.labels.items())),
            )
        ): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def told(factory: MetricFactory) -> dict[str, float]:
    """What a factory's metrics show now."""
    return series(text_string_to_metric_families(generate_latest(factory.registry).decode()))


def kept(folder: Path) -> dict[str, float]:
    """What a folder shows that nobody serves."""
    with open_folder(folder) as found:
        return series(found.collect())


def scraped(port: int) -> dict[str, float] | None:
    """What a server shows; None where there is none yet."""
    try:
        answer = urllib3.request(
            "GET", f"http://127.0.0.1:{port}/metrics", timeout=30, retries=False
        )
    except urllib3.exceptions.HTTPError:
        return None
    assert answer.status == 200, answer.data
    return series(text_string_to_metric_families(answer.data.decode()))
