"""The second half of the way of a message: worker, backend, effects, and latency."""

from __future__ import annotations

from lab.monitoring import metrics
from lab.monitoring.dashboards.board import Board, latency_steps
from lab.monitoring.metrics import mean, quantile, rate


def draw(board: Board) -> None:
    """Add it to the overview."""
    board.row("Worker: validates, and hands matches to the backend")
    board.lines(
        "Attempts by outcome",
        "ops",
        "Good: created, updated, unchanged, stale; some duplicates after a crash. Bad: retried, "
        "something is unavailable; dead_lettered, something is permanently wrong.",
        {"{{outcome}}": rate(metrics.PROCESSED, "outcome")},
        stacked=True,
    )
    board.lines(
        "Retries by reason",
        "ops",
        "Good: none. Bad: a burst names what is unavailable; a trickle, what is unreliable.",
        {"{{reason}}": rate(metrics.RETRIED, "reason")},
    )
    board.lines(
        "Time of one attempt",
        "s",
        "Failed attempts included. Good: far below 500 ms. Bad: near the time limit, what the "
        "worker calls is slow; see the backend's rows.",
        {"mean": mean(metrics.RUNTIME), "p99": quantile(0.99, metrics.RUNTIME)},
        limit=latency_steps(),
    )
    board.lines(
        "In flight",
        "short",
        "Tasks that run now. Good: moves with the load. Bad: flat at the number of pool children "
        "while messages are ready: all of them are stuck.",
        {
            "{{instance}}": f"sum by (instance) ({metrics.IN_FLIGHT})",
            "pool children": "sum(missing_table_worker_concurrency)",
        },
        width=24,
    )

    board.row("Backend: writes match and receipt in one transaction")
    board.lines(
        "Requests by status",
        "reqps",
        "Good: 2xx. Bad: 5xx, the database is unavailable; 4xx, a sender breaks the contract.",
        {"{{status}}": rate("missing_table_http_requests_total", "status")},
        stacked=True,
    )
    board.lines(
        "Time to an answer",
        "s",
        "99 of 100 requests, by route. Good: tens of milliseconds. Bad: climbs together with the "
        "database's times below: the database is the cause.",
        {"p99 {{route}}": quantile(0.99, "missing_table_http_request_seconds", "route")},
        limit=latency_steps(),
    )
    board.lines(
        "Time in the database",
        "s",
        "The mean of each operation. Good: milliseconds. Bad: climbs: locks, a full disk, too many"
        " connections.",
        {"{{operation}}": mean("missing_table_database_seconds", "operation")},
    )

    board.row("Effects: what changed in the table")
    board.lines(
        "Effects",
        "mps",
        "Good: what is new on a page is created or updated, the rest unchanged. Bad: many "
        "duplicates, messages come again and again; invalid, the API refused them.",
        {"{{effect}}": rate("missing_table_effects_total", "effect")},
        stacked=True,
    )
    board.lines(
        "Given up, by reason",
        "mps",
        "Good: none. Bad: exhausted or refused burn the error budget; invalid, unreadable and "
        "unknown-task are the sender's fault.",
        {"{{reason}}": rate(metrics.DEAD_LETTERED, "reason")},
    )
    board.lines(
        "Accepted against finished",
        "short",
        "Everything since the start. Good: the lines meet whenever the system settles (messages of"
        " other senders, not counted as accepted, lift the second). Bad: the first stays above: "
        "messages wait somewhere.",
        {
            "accepted by the scraper": f"sum({metrics.ACCEPTED})",
            "took effect or given up": f"sum({metrics.TOOK_EFFECT}) + sum({metrics.DEAD_LETTERED})",
        },
    )

    board.row("Latency: from first publish to the end")
    board.lines(
        "Latency",
        "s",
        "Good: the mean below the line at 500 ms. Bad: p99 far above the mean: a few messages wait"
        " for retries; all three up: everything waits.",
        {
            "mean": mean(metrics.LATENCY),
            "p50": quantile(0.5, metrics.LATENCY),
            "p99": quantile(0.99, metrics.LATENCY),
        },
        limit=latency_steps(),
        width=12,
    )
    board.heat(
        "Latency, all messages",
        "s",
        "How many messages took how long. Good: one warm band far below 0.5 s. Bad: a second band "
        "higher up: a part of the messages goes another, slower way.",
        f"sum by (le) (increase({metrics.LATENCY}_bucket[{metrics.EVERY_S}]))",
        width=12,
    )
