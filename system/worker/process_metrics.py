"""The metrics of a worker: those of its main process, with their server, and of its children."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from prometheus_client import PlatformCollector, ProcessCollector

from system.metrics.definitions import MetricFactory
from system.metrics.files import persist_in
from system.metrics.folder import open_folder
from system.metrics.server import MetricsServer, serving
from system.settings import WorkerSettings
from system.worker.metrics import MainMetrics, WorkerMetrics


@dataclass(frozen=True)
class ProcessMetrics:
    """The metrics of the main process.

    Attributes:
        server: None if nothing is served.
    """

    metrics: WorkerMetrics
    main: MainMetrics
    server: MetricsServer | None = None


def create(settings: WorkerSettings) -> ProcessMetrics:
    """Metrics of a main process; in memory, outside of `persist_in`."""
    factory = MetricFactory()
    return ProcessMetrics(
        WorkerMetrics(factory, settings.sink), MainMetrics(factory, settings.concurrency)
    )


@contextmanager
def main_process(settings: WorkerSettings) -> Iterator[ProcessMetrics]:
    """Open the folder and the server that the settings name, for the block.

    Raises:
        SettingsError: the folder cannot be used or belongs to another worker, or the port is taken.
    """
    folder = settings.metrics_folder
    if folder is None:
        yield create(settings)
        return
    with ExitStack() as stack:
        kept = stack.enter_context(open_folder(folder))
        with persist_in(folder):
            metrics = create(settings)
        server = None
        if settings.metrics_port is not None:
            # Process metrics only of the main process: children come and go.
            collectors = (kept, ProcessCollector(registry=None), PlatformCollector(registry=None))
            server = stack.enter_context(
                serving(settings.metrics_host, settings.metrics_port, collectors)
            )
        yield ProcessMetrics(metrics.metrics, metrics.main, server)


def child_metrics(settings: WorkerSettings, inherited: MetricsServer | None) -> WorkerMetrics:
    """A pool child's own metrics; it shares no file and no lock with its parent.

    Args:
        inherited: the parent's server, inherited by the fork. An orphan that held its port would
            keep the next worker from starting.
    """
    if inherited is not None:
        inherited.forget()
    with persist_in(settings.metrics_folder):
        return WorkerMetrics(MetricFactory(), settings.sink)
