"""What the scraper counts: what it read, what became of it, and how its runs end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from system.contract.submission import Way
from system.metrics.files import kept_in
from system.metrics.folder import tidied
from system.metrics.making import Maker, values
from system.metrics.publishing import PublisherMetrics, PublisherName, Publishing
from system.settings import ScraperSettings

_OUTBOX = "outbox"


class Result(StrEnum):
    """How a run ended; in the order of the exit codes of `summary.EXIT_CODES`."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    UNDELIVERED = "undelivered"


_SUCCESSES = (Result.COMPLETE, Result.PARTIAL)


class ScraperMetrics:
    """The metrics of one process of the scraper.

    Attributes:
        publisher: of its publisher.
    """

    def __init__(self, maker: Maker) -> None:
        self._accepted = maker.counter(
            "accepted",
            "Messages made safe at their first delivery, by where: confirmed by the broker,"
            " answered by the API, or in the outbox",
            {"way": (*values(Way), _OUTBOX)},
        )
        self._drained = maker.counter(
            "drained", "Messages that left the outbox in a later attempt", {"way": values(Way)}
        )
        self._pages = maker.counter("scraper_pages", "Schedule pages read")
        self._rows = maker.counter(
            "scraper_rows",
            "Rows of pages, each once: read (a match, new in its run), refused (none), or repeated"
            " (the same as before in its run)",
            {"outcome": ("read", "refused", "repeated")},
        )
        self._runs = maker.counter(
            "scraper_runs", "Runs that ended, by their exit code", {"result": values(Result)}
        )
        self._last_run = maker.gauge(
            "scraper_last_run_timestamp_seconds",
            "When the last run ended, in seconds since 1970; 0 before the first",
            several="max",
        )
        self._last_success = maker.gauge(
            "scraper_last_success_timestamp_seconds",
            "When the last complete or partial run ended; 0 before the first",
            several="max",
        )
        self._duration = maker.gauge(
            "scraper_run_duration_seconds",
            "How long the last run took; missing before the first",
            several="mostrecent",
        )
        publishing = Publishing(maker, (PublisherName.SCRAPER,))
        self.publisher: PublisherMetrics = publishing.of(PublisherName.SCRAPER)

    def page(self, *, read: int, refused: int, repeated: int) -> None:
        """Count a page and its rows."""
        self._pages.inc()
        self._rows.labels("read").inc(read)
        self._rows.labels("refused").inc(refused)
        self._rows.labels("repeated").inc(repeated)

    def accepted(self, ways: Iterable[str]) -> None:
        """Count messages made safe: the way of each."""
        for way, count in Counter(ways).items():
            self._accepted.labels(way).inc(count)

    def drained(self, ways: Iterable[str]) -> None:
        """Count messages that left the outbox: the way of each."""
        for way, count in Counter(ways).items():
            self._drained.labels(way).inc(count)

    def ran(self, exit_code: int, seconds: float) -> None:
        """A run has ended."""
        result, now = list(Result)[exit_code], time.time()
        self._duration.set(seconds)
        self._last_run.set(now)
        if result in _SUCCESSES:
            self._last_success.set(now)
        self._runs.labels(result).inc()


class Run:
    """A run, until it has an exit code; one that never gets any has failed."""

    def __init__(self, metrics: ScraperMetrics) -> None:
        self.metrics = metrics
        self.exit_code = 2


def opened(settings: ScraperSettings) -> ScraperMetrics:
    """The metrics of this process; in memory, where the settings name no folder.

    Raises:
        SettingsError: the folder cannot be used.
    """
    if settings.metrics_folder is not None:
        tidied(settings.metrics_folder)
    with kept_in(settings.metrics_folder):
        return ScraperMetrics(Maker())


@contextmanager
def running(settings: ScraperSettings, *, dry_run: bool) -> Iterator[Run]:
    """Count a run, however it ends; a dry run is none.

    Raises:
        SettingsError: the folder cannot be used.
    """
    metrics = ScraperMetrics(Maker()) if dry_run else opened(settings)
    run, begun = Run(metrics), time.monotonic()
    try:
        yield run
    finally:
        metrics.ran(run.exit_code, time.monotonic() - begun)
