"""The long-lived neighbour of the scraper: serves what its runs have counted, and the outbox.

A run lives for minutes and is scraped by nobody. What it counts stays in the metrics folder; this
process owns that folder, serves it, and looks into the outbox whenever it is asked, also in the
hour between two runs.
"""

from __future__ import annotations

import signal

from prometheus_client import PlatformCollector, ProcessCollector

from system.errors import SettingsError
from system.metrics.files import kept_in
from system.metrics.folder import owned
from system.metrics.making import Maker
from system.metrics.server import serving
from system.scraper.metrics import ScraperMetrics
from system.scraper.outbox_stats import OutboxCollector
from system.settings import ScraperSettings

_ENDS = {signal.SIGTERM, signal.SIGINT}


def expected(maker: Maker, interval_s: float) -> None:
    """Tell how often a run is due; what is late is late against this."""
    maker.gauge(
        "scraper_interval_seconds", "Time from one run to the next, as set", several="livemax"
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
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)  # threads inherit it; then only we wait for one
    with owned(folder) as kept:
        with kept_in(folder):
            maker = Maker()
            ScraperMetrics(maker)  # so that every series is there before the first run
            expected(maker, settings.scrape_interval_s)
        own = (ProcessCollector(registry=None), PlatformCollector(registry=None))
        with serving(host, port, (kept, OutboxCollector(settings.outbox), *own)):
            signal.sigwait(_ENDS)
