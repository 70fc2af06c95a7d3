"""The first half of the way of a message: scraper, outbox, broker."""

from __future__ import annotations

from lab.monitoring.dashboards.board import BoardRow
from lab.monitoring.dashboards.panels import Query, lines
from lab.monitoring.metrics import (
    ACCEPTED,
    IN_QUEUE,
    OUTBOX,
    OUTBOX_AGE,
    READY,
    RETRY_QUEUES,
    UNACKED,
    WORK_QUEUES,
    quantile,
    rate,
)

_PUBLISH = "missing_table_publish_seconds"
_INTERVAL = "missing_table_scraper_interval_seconds"
_LAST = "missing_table_scraper_last_success_timestamp_seconds"


def scraper() -> BoardRow:
    """The reading of pages."""
    return BoardRow(
        "Scraper: reads the league's pages",
        (
            lines(
                "Time since the last success",
                "Good: a saw whose teeth end below the interval at which the scraper should run. "
                "Bad: above it, no page was read and made safe; above twice, an alert fires.",
                "s",
                Query(f"time() - ({_LAST} > 0)", "since the last success"),
                Query(_INTERVAL, "interval"),
            ),
            lines(
                "Rows of pages",
                "Good: almost all are read. Bad: many refused, so the league changed its pages; "
                "or many repeated, so its pages overlap.",
                "ops",
                Query(rate("missing_table_scraper_rows_total", "outcome"), "{{outcome}}"),
                stacked=True,
            ),
            lines(
                "Runs by result",
                "How the scraper's runs ended so far. Good: only complete ones grow. Bad: failed, "
                "no page could be read; undelivered, matches wait in the outbox.",
                "short",
                Query("sum by (result) (missing_table_scraper_runs_total)", "{{result}}"),
            ),
        ),
    )


def outbox() -> BoardRow:
    """What waits to be sent."""
    return BoardRow(
        "Outbox: keeps what could not be sent",
        (
            lines(
                "Messages in the outbox",
                "Good: zero. Bad: waiting ones that stay when the broker is back; refused ones, "
                "which wait for a person.",
                "short",
                Query(f"sum by (state) ({OUTBOX})", "{{state}}"),
            ),
            lines(
                "Oldest message in the outbox",
                "Good: zero. Bad: a line that climbs for longer than two intervals of the scraper: "
                "it does not run, or the broker is still unavailable.",
                "s",
                Query(f"max({OUTBOX_AGE})", "oldest"),
            ),
            lines(
                "Accepted and drained, by way",
                "Where messages were made safe at first, and how they left the outbox later. "
                "Good: all by queue. Bad: http or outbox, the broker did not accept them.",
                "mps",
                Query(rate(ACCEPTED, "way"), "accepted: {{way}}"),
                Query(rate("missing_table_drained_total", "way"), "drained: {{way}}"),
            ),
        ),
    )


def broker() -> BoardRow:
    """What is on its way to a worker."""
    return BoardRow(
        "Broker: holds messages until a worker takes them",
        (
            lines(
                "Published, by the broker's answer",
                "Good: all confirmed. Bad: returned, no queue is bound; nacked, the broker "
                "refused; unknown, it never answered and may have them.",
                "mps",
                Query(rate("missing_table_published_total", "outcome"), "{{outcome}}"),
            ),
            lines(
                "Ready and in hand",
                "Good: ready falls to zero after each burst. Bad: ready grows; or messages stay in "
                "hand (unacked) while nothing is processed: a worker is stuck.",
                "short",
                Query(f"sum by (queue) ({READY}{{{WORK_QUEUES}}})", "{{queue}} ready"),
                Query(f"sum by (queue) ({UNACKED}{{{WORK_QUEUES}}})", "{{queue}} in hand"),
            ),
            lines(
                "Waiting for a retry",
                "Good: zero. Bad: messages climb to queues of longer waits: what they need "
                "(database, API) is still unavailable. They come back by themselves.",
                "short",
                Query(f"sum by (queue) ({IN_QUEUE}{{{RETRY_QUEUES}}})", "{{queue}}"),
                stacked=True,
            ),
            lines(
                "Time to a confirm",
                "From sending a message to its confirm, 99 of 100. Good: some milliseconds. "
                "Bad: climbs, the broker's disk is slow or an alarm blocks publishers.",
                "s",
                Query(quantile(0.99, _PUBLISH, "publisher"), "p99 {{publisher}}"),
                width=12,
            ),
            lines(
                "On their way to the broker",
                "Sent and not answered yet. Good: near zero. Bad: stays up, no confirms come.",
                "short",
                Query("sum by (publisher) (missing_table_publisher_unconfirmed)", "{{publisher}}"),
                width=12,
            ),
        ),
    )
