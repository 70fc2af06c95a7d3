"""The second half of the way of a message: worker, backend, effects, and latency."""

from __future__ import annotations

from lab.monitoring.dashboards import promised
from lab.monitoring.dashboards.board import BoardRow
from lab.monitoring.dashboards.panels import Query, heat, lines, red_from
from lab.monitoring.metrics import (
    ACCEPTED,
    DEAD_LETTERED,
    EVERY_S,
    IN_FLIGHT,
    LATENCY,
    PROCESSED,
    RETRIED,
    RUNTIME,
    TOOK_EFFECT,
    mean,
    quantile,
    rate,
)

_HTTP = "missing_table_http_request_seconds"
_STORED = "missing_table_database_seconds"


def worker() -> BoardRow:
    """What becomes of messages in the workers."""
    return BoardRow(
        "Worker: validates, and hands matches to the backend",
        (
            lines(
                "Attempts by outcome",
                "Good: created, updated, unchanged, stale; some duplicates after a crash. Bad: "
                "retried, something is unavailable; dead_lettered, something is permanently wrong.",
                "ops",
                Query(rate(PROCESSED, "outcome"), "{{outcome}}"),
                stacked=True,
            ),
            lines(
                "Retries by reason",
                "Good: none. Bad: a burst names what is unavailable; a trickle, what is "
                "unreliable.",
                "ops",
                Query(rate(RETRIED, "reason"), "{{reason}}"),
            ),
            lines(
                "Time of one attempt",
                "Failed attempts included. Good: far below 500 ms. Bad: near the time limit, what "
                "the worker calls is slow; see the backend's rows.",
                "s",
                Query(mean(RUNTIME), "mean"),
                Query(quantile(0.99, RUNTIME), "p99"),
                limit=red_from(promised.latency_s()),
            ),
            lines(
                "In flight",
                "Tasks that run now. Good: moves with the load. Bad: flat at the number of pool "
                "children while messages are ready: all of them are stuck.",
                "short",
                Query(f"sum by (instance) ({IN_FLIGHT})", "{{instance}}"),
                Query("sum(missing_table_worker_concurrency)", "pool children"),
                width=24,
            ),
        ),
    )


def backend() -> BoardRow:
    """Requests and the database."""
    return BoardRow(
        "Backend: writes match and receipt in one transaction",
        (
            lines(
                "Requests by status",
                "Good: 2xx. Bad: 5xx, the database is unavailable; 4xx, a sender breaks the "
                "contract.",
                "reqps",
                Query(rate("missing_table_http_requests_total", "status"), "{{status}}"),
                stacked=True,
            ),
            lines(
                "Time to an answer",
                "99 of 100 requests, by route. Good: tens of milliseconds. "
                "Bad: climbs together with the database's times below: the database is the cause.",
                "s",
                Query(quantile(0.99, _HTTP, "route"), "p99 {{route}}"),
                limit=red_from(promised.latency_s()),
            ),
            lines(
                "Time in the database",
                "The mean of each operation. Good: milliseconds. Bad: climbs: locks, a full disk, "
                "too many connections.",
                "s",
                Query(mean(_STORED, "operation"), "{{operation}}"),
            ),
        ),
    )


def effects() -> BoardRow:
    """The effects of the messages."""
    return BoardRow(
        "Effects: what changed in the table",
        (
            lines(
                "Effects",
                "Good: what is new on a page is created or updated, the rest unchanged. Bad: many "
                "duplicates, messages come again and again; invalid, the API refused them.",
                "mps",
                Query(rate("missing_table_effects_total", "effect"), "{{effect}}"),
                stacked=True,
            ),
            lines(
                "Given up, by reason",
                "Good: none. Bad: exhausted or refused burn the error budget; invalid, unreadable "
                "and unknown-task are the sender's fault.",
                "mps",
                Query(rate(DEAD_LETTERED, "reason"), "{{reason}}"),
            ),
            lines(
                "Accepted against finished",
                "Everything since the start. Good: the lines meet whenever the system settles "
                "(messages of other senders, not counted as accepted, lift the second). "
                "Bad: the first stays above: messages wait somewhere.",
                "short",
                Query(f"sum({ACCEPTED})", "accepted by the scraper"),
                Query(f"sum({TOOK_EFFECT}) + sum({DEAD_LETTERED})", "took effect or given up"),
            ),
        ),
    )


def latency() -> BoardRow:
    """The latency of messages."""
    return BoardRow(
        "Latency: from first publish to the end",
        (
            lines(
                "Latency",
                "Good: the mean below the line at 500 ms. Bad: p99 far above the mean: a few "
                "messages wait for retries; all three up: everything waits.",
                "s",
                Query(mean(LATENCY), "mean"),
                Query(quantile(0.5, LATENCY), "p50"),
                Query(quantile(0.99, LATENCY), "p99"),
                limit=red_from(promised.latency_s()),
                width=12,
            ),
            heat(
                "Latency, all messages",
                "How many messages took how long. Good: one warm band far below 0.5 s. Bad: a "
                "second band higher up: a part of the messages goes another, slower way.",
                "s",
                Query(f"sum by (le) (increase({LATENCY}_bucket[{EVERY_S}]))", "{{le}}"),
                width=12,
            ),
        ),
    )
