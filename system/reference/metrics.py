"""The reference of all metrics, from the code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from system.backend.metrics import BackendMetrics
from system.contract.reasons import OWN_FAULT
from system.metrics.definitions import MetricFactory, MetricSpec
from system.scraper.exporter import set_interval
from system.scraper.metrics import ScraperMetrics
from system.scraper.outbox_stats import SPECS as OUTBOX
from system.settings import SinkKind
from system.worker.metrics import MainMetrics, WorkerMetrics

FILE = Path("docs/reference/metrics.md")

_HEAD = f"""\
# Metrics

What the parts of the pipeline report to Prometheus. Written by `make docs`; a test compares it
with the code.

Times are in seconds; every histogram has a bucket edge at 0.5 s, the objective for the mean. If the
values of a label are listed here, the list is complete, and each of its series exists from the
start, at 0.

Worker and scraper keep what they count in files (`MISSING_TABLE_METRICS_FOLDER`), so it survives
their death; the figures of a worker are those of all its processes together.

Dead letters with one of these reasons are the message's own fault, and not counted against the
objective: {", ".join(f"`{reason}`" for reason in sorted(OWN_FAULT))}. What the broker
itself gives up (`delivery_limit`, `rejected`) is in RabbitMQ's own metrics, and so is the
redelivery of what a killed process had in hand.
"""


def render() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *(_part(*role) for role in _roles())])


def _roles() -> Sequence[tuple[str, str, Sequence[MetricSpec]]]:
    scraper, worker, with_database, backend = (
        MetricFactory(),
        MetricFactory(),
        MetricFactory(),
        MetricFactory(),
    )
    ScraperMetrics(scraper)
    set_interval(scraper, 1)
    WorkerMetrics(worker, SinkKind.API)
    MainMetrics(worker, 1)
    WorkerMetrics(with_database, SinkKind.DATABASE)
    BackendMetrics(backend)
    both = {spec.name for spec in worker.specs}
    more = [
        spec
        for spec in with_database.specs
        if spec.name not in both or spec.name.endswith("message_latency_seconds")
    ]
    of_scraper = [*scraper.specs, *OUTBOX]
    return (
        (
            "Scraper",
            "Served by its exporter (`python -m system.scraper metrics`), the outbox with it.",
            of_scraper,
        ),
        (
            "Worker",
            "Served by its main process on `MISSING_TABLE_METRICS_PORT`.",
            worker.specs,
        ),
        (
            "Worker that writes to the database itself",
            "With `MISSING_TABLE_SINK=database` it makes the commit, so it counts the effects.",
            more,
        ),
        ("Backend", "Served by itself at `/metrics`, and kept in memory.", backend.specs),
    )


def _part(title: str, about: str, metrics: Sequence[MetricSpec]) -> str:
    rows = "\n".join(
        f"| `{spec.name}` | {spec.kind} | {_labels(spec)} | {spec.meaning} |" for spec in metrics
    )
    return (
        f"## {title}\n\n{about}\n\n| name | type | labels | meaning |\n|---|---|---|---|\n{rows}\n"
    )


def _labels(spec: MetricSpec) -> str:
    return "; ".join(
        f"{label}: {', '.join(f'`{value}`' for value in values)}" if values else label
        for label, values in spec.labels.items()
    )
