"""One run of the scraper: for each page read, write the journal, deliver, write the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import structlog

from system.contract.envelope import Envelope
from system.contract.match import Match
from system.errors import OutboxFull, Unavailable
from system.metrics.definitions import MetricFactory
from system.scraper.baseline import Baseline
from system.scraper.gaps import Remark
from system.scraper.journal import Journal
from system.scraper.messages import Messages
from system.scraper.metrics import ScraperMetrics
from system.scraper.parsing.schedule import RefusedRow, Schedule
from system.scraper.summary import Summary

log = structlog.get_logger("scraper")

KNOWN_MAX = 100_000


class MessageResult(Protocol):
    """What became of one envelope; see `delivery.DeliveryResult`."""

    @property
    def message_id(self) -> str: ...  # noqa: D102
    @property
    def outcome(self) -> str: ...  # noqa: D102
    @property
    def way(self) -> str: ...  # noqa: D102
    @property
    def detail(self) -> str: ...  # noqa: D102


class Deliverer(Protocol):
    """Accepts envelopes; see `delivery.Delivery`."""

    def deliver(self, envelopes: Sequence[Envelope]) -> Sequence[MessageResult]:
        """One result for each envelope, in order."""


def run(
    pages: Iterable[Schedule | Remark],
    *,
    messages: Messages,
    journal: Journal,
    delivery: Deliverer | None,
    metrics: ScraperMetrics | None = None,
    baseline: Baseline | None = None,
    progress: Callable[[Summary], None] = lambda _summary: None,
) -> Summary:
    """Deliver every match of `pages`, and return the sums.

    Args:
        pages: what was read, one at a time; nothing of a page is kept after its turn.
        messages: decides what is new in this run.
        journal: gets every attempt before it is made.
        delivery: None to read and check only.
        metrics: counts pages and rows.
        baseline: what the last good run has read, to compare with.
        progress: called after each page.
    """
    metrics = metrics or ScraperMetrics(MetricFactory())
    summary = Summary(dry_run=delivery is None)
    known: set[tuple[str, str]] = set()  # refused rows; a page that comes again repeats them too
    for page in pages:
        if isinstance(page, Remark):
            _remark(page, journal, summary)
        else:
            refused = _unknown(page.refused, known)
            summary.read_page(page, refused)
            journal.rows_refused(refused)
            # Publishing is timed by the real clock, whatever clock the observations go by: the
            # store's and the workers' clocks are real too, and latency is measured between them.
            fresh = messages.fresh(page.matches, published_at=datetime.now(UTC))
            repeated = len(page.matches) - len(fresh) + len(page.refused) - len(refused)
            if repeated:
                journal.repeated(repeated)
                summary.repeated += repeated
            summary.fresh += len(fresh)
            metrics.page(read=len(fresh), refused=len(refused), repeated=repeated)
            if fresh and delivery is not None:
                _deliver(page.page, fresh, delivery, journal, summary)
        progress(summary)
    # Pages that are missing for another reason explain that there are fewer matches.
    if baseline is not None and summary.pages and not summary.gaps:
        doubt = baseline.doubt(summary.fresh)
        if doubt is not None:
            _remark(doubt, journal, summary)
    journal.scraped(summary.counts())
    return summary


def _remark(remark: Remark, journal: Journal, summary: Summary) -> None:
    summary.remark(remark)
    if remark.gap is not None:
        journal.incomplete(remark)
        log.warning("incomplete", reason=remark.gap, page=remark.page, detail=remark.text)


def _unknown(rows: Sequence[RefusedRow], known: set[tuple[str, str]]) -> list[RefusedRow]:
    """The rows that this run has not refused before; at most KNOWN_MAX are remembered."""
    fresh = []
    for row in rows:
        mark = (row.reason, row.excerpt)
        if mark not in known:
            fresh.append(row)
            if len(known) < KNOWN_MAX:
                known.add(mark)
    return fresh


def _deliver(
    page: str,
    fresh: Sequence[tuple[Envelope, Match]],
    delivery: Deliverer,
    journal: Journal,
    summary: Summary,
) -> None:
    journal.attempted(fresh)
    try:
        results = [
            (result.message_id, str(result.outcome), str(result.way), result.detail)
            for result in delivery.deliver([envelope for envelope, _ in fresh])
        ]
    except (OutboxFull, Unavailable) as error:
        # If the outbox was full, nothing was put into it, so nothing was sent. If its file failed,
        # that may have been before sending or after.
        outcome = "refused" if isinstance(error, OutboxFull) else "unknown"
        results = [(envelope.message_id, outcome, "outbox", str(error)) for envelope, _ in fresh]
    journal.settled(results)
    for message_id, outcome, way, detail in results:
        say = log.info if outcome == "accepted" else log.warning
        say(outcome, message_id=message_id, page=page, way=way)
        summary.settled(outcome, way, detail)
