"""What the scraper counts: rows read, messages accepted, and the results of its runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from system.contract.submission import Way
from system.metrics.definitions import MetricFactory, values
from system.metrics.files import persist_in
from system.metrics.folder import tidy_folder
from system.metrics.publishing import PublisherMetrics, PublisherName, PublishMetrics
from system.scraper.gaps import Gap
from system.settings import ScraperSettings

_OUTBOX = "outbox"


class RunResult(StrEnum):
    """How a run ended; in the order of the exit codes of `summary.EXIT_CODES`."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    UNDELIVERED = "undelivered"
    INCOMPLETE = "incomplete"
    SPOOLED = "spooled"

    @classmethod
    def of(cls, exit_code: int) -> RunResult:
        """The result that an exit code stands for."""
        return list(cls)[exit_code]

    @property
    def is_success(self) -> bool:
        """Whether everything was read, and is safe."""
        return self in (RunResult.COMPLETE, RunResult.PARTIAL, RunResult.SPOOLED)


class ScraperMetrics:
    """The metrics of one process of the scraper.

    Attributes:
        publisher: the metrics of its publisher.
    """

    def __init__(self, factory: MetricFactory) -> None:
        self._accepted = factory.counter(
            "accepted",
            "Messages made safe at their first delivery, by where: confirmed by the broker,"
            " answered by the API, or in the outbox",
            {"way": (*values(Way), _OUTBOX)},
        )
        self._bypassed = factory.counter(
            "queue_bypassed",
            "Messages that were to go by the queue, and were first made safe elsewhere, by where",
            {"way": (Way.HTTP, _OUTBOX)},
        )
        self._drained = factory.counter(
            "drained", "Messages that left the outbox in a later attempt", {"way": values(Way)}
        )
        self._pages = factory.counter("scraper_pages", "Schedule pages read")
        self._rows = factory.counter(
            "scraper_rows",
            "Rows of pages, each once: read (a match, new in its run), refused (none), or repeated"
            " (the same as before in its run)",
            {"outcome": ("read", "refused", "repeated")},
        )
        self._runs = factory.counter(
            "scraper_runs", "Runs that ended, by their exit code", {"result": values(RunResult)}
        )
        self._incomplete = factory.counter(
            "scraper_incomplete",
            "Runs that may not have read everything, by why; a run counts once for each reason",
            {"reason": values(Gap)},
        )
        self._last_run = factory.gauge(
            "scraper_last_run_timestamp_seconds",
            "When the last run ended, in seconds since 1970; 0 before the first",
            multiprocess_mode="max",
        )
        self._last_success = factory.gauge(
            "scraper_last_success_timestamp_seconds",
            "When the last run ended that was complete, partial or spooled; 0 before the first",
            multiprocess_mode="max",
        )
        self._duration = factory.gauge(
            "scraper_run_duration_seconds",
            "How long the last run took; missing before the first",
            multiprocess_mode="mostrecent",
        )
        publishing = PublishMetrics(factory, (PublisherName.SCRAPER,))
        self.publisher: PublisherMetrics = publishing.of(PublisherName.SCRAPER)

    def page(self, *, read: int, refused: int, repeated: int) -> None:
        """Count a page and its rows."""
        self._pages.inc()
        self._rows.labels("read").inc(read)
        self._rows.labels("refused").inc(refused)
        self._rows.labels("repeated").inc(repeated)

    def accepted(self, ways: Iterable[str], *, to_queue: bool) -> None:
        """Count accepted messages.

        Args:
            ways: the way of each.
            to_queue: whether they were to go by the queue.
        """
        for way, count in Counter(ways).items():
            self._accepted.labels(way).inc(count)
            if to_queue and way != Way.QUEUE:
                self._bypassed.labels(way).inc(count)

    def drained(self, ways: Iterable[str]) -> None:
        """Count messages that left the outbox, given the way of each."""
        for way, count in Counter(ways).items():
            self._drained.labels(way).inc(count)

    def ran(self, exit_code: int, seconds: float, gaps: Iterable[Gap] = ()) -> None:
        """A run has ended.

        Args:
            exit_code: one of `summary.EXIT_CODES`.
            seconds: how long it took.
            gaps: why something may not have been read, each once; of a run that read nothing, and
                has failed, they are not counted.
        """
        result, now = RunResult.of(exit_code), time.time()
        self._duration.set(seconds)
        self._last_run.set(now)
        if result.is_success:
            self._last_success.set(now)
        if result is not RunResult.FAILED:
            for gap in gaps:
                self._incomplete.labels(gap).inc()
        self._runs.labels(result).inc()


class RunMetrics:
    """The metrics of one run, and what came of it; a run that never says so has failed (2)."""

    def __init__(self, metrics: ScraperMetrics) -> None:
        self.metrics = metrics
        self.exit_code = 2
        self.gaps: tuple[Gap, ...] = ()


def open_metrics(settings: ScraperSettings) -> ScraperMetrics:
    """The metrics of this process; in memory, if the settings name no folder.

    Raises:
        SettingsError: the folder cannot be used.
    """
    if settings.metrics_folder is not None:
        tidy_folder(settings.metrics_folder)
    with persist_in(settings.metrics_folder):
        return ScraperMetrics(MetricFactory())


@contextmanager
def count_run(settings: ScraperSettings, *, dry_run: bool) -> Iterator[RunMetrics]:
    """Count a run, however it ends; a dry run is not counted.

    Raises:
        SettingsError: the folder cannot be used.
    """
    metrics = ScraperMetrics(MetricFactory()) if dry_run else open_metrics(settings)
    run, begun = RunMetrics(metrics), time.monotonic()
    try:
        yield run
    finally:
        metrics.ran(run.exit_code, time.monotonic() - begun, run.gaps)
