"""Opens the metrics of a worker: those of its main process, with their server, and of a child."""

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
class Measured:
    """What the main process counts with.

    Attributes:
        server: None where nothing is served.
    """

    metrics: WorkerMetrics
    main: MainMetrics
    server: MetricsServer | None = None


def made(settings: WorkerSettings) -> Measured:
    """Metrics of a main process; in memory, outside of `persist_in`."""
    factory = MetricFactory()
    return Measured(
        WorkerMetrics(factory, settings.sink), MainMetrics(factory, settings.concurrency)
    )


@contextmanager
def main_process(settings: WorkerSettings) -> Iterator[Measured]:
    """Open what the settings say, for the block: the folder, and the server.

    Raises:
        SettingsError: the folder cannot be used or is another worker's, or the port is taken.
    """
    folder = settings.metrics_folder
    if folder is None:
        yield made(settings)
        return
    with ExitStack() as stack:
        kept = stack.enter_context(open_folder(folder))
        with persist_in(folder):
            measured = made(settings)
        server = None
        if settings.metrics_port is not None:
            # Of the process itself, only the main one's: children come and go.
            collectors = (kept, ProcessCollector(registry=None), PlatformCollector(registry=None))
            server = stack.enter_context(
                serving(settings.metrics_host, settings.metrics_port, collectors)
            )
        yield Measured(measured.metrics, measured.main, server)


def child(settings: WorkerSettings, inherited: MetricsServer | None) -> WorkerMetrics:
    """A pool child's own metrics, in files of its own; none of them, nor a lock, is the parent's.

    Args:
        inherited: the parent's server, which came along in the fork. An orphan that held its port
            would keep the next worker from starting.
    """
    if inherited is not None:
        inherited.forget()
    with persist_in(settings.metrics_folder):
        return WorkerMetrics(MetricFactory(), settings.sink)
