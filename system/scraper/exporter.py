"""The exporter of the scraper, a long-running process: serves its runs' metrics, and the outbox's.

A run lives for minutes; Prometheus does not scrape it. What it counts stays in the metrics folder.
This process owns that folder, serves it, and reads the outbox at each request, also in the hour
between two runs.
"""

from __future__ import annotations

import signal

from prometheus_client import PlatformCollector, ProcessCollector

from system.errors import SettingsError
from system.metrics.definitions import MetricFactory
from system.metrics.files import persist_in
from system.metrics.folder import open_folder
from system.metrics.server import serving
from system.scraper.metrics import ScraperMetrics
from system.scraper.outbox_stats import OutboxCollector
from system.settings import ScraperSettings

_ENDS = {signal.SIGTERM, signal.SIGINT}


def set_interval(factory: MetricFactory, interval_s: float) -> None:
    """Publish how often a run is due; the alert on a late run compares with it."""
    factory.gauge(
        "scraper_interval_seconds",
        "Time from one run to the next, as set",
        multiprocess_mode="livemax",
    ).set(interval_s)


def serve(settings: ScraperSettings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        SettingsError: no folder is set, it is another's, or the port is taken.
    """
    folder = settings.metrics_folder
    if folder is None:
        raise SettingsError(
            "MISSING_TABLE_METRICS_FOLDER is not set; set it to that of the scraper's runs"
        )
    signal.pthread_sigmask(
        signal.SIG_BLOCK, _ENDS
    )  # threads inherit it; then only sigwait gets one
    with open_folder(folder) as kept:
        with persist_in(folder):
            factory = MetricFactory()
            ScraperMetrics(factory)  # so that every series is there before the first run
            set_interval(factory, settings.scrape_interval_s)
        own = (ProcessCollector(registry=None), PlatformCollector(registry=None))
        with serving(host, port, (kept, OutboxCollector(settings.outbox), *own)):
            signal.sigwait(_ENDS)
