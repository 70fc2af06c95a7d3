"""The workers, one by one and together."""

from __future__ import annotations

from lab.monitoring import metrics
from lab.monitoring.dashboards.board import GREEN, RED, Board, green_from, latency_steps, red_from
from lab.monitoring.metrics import mean, quantile, rate

_INSTANCE = 'instance=~"$instance"'
_SINK = "missing_table_sink_seconds"
_CHILDREN = "missing_table_worker_concurrency"


def draw() -> Board:
    """Presence, work, times and failures of the workers."""
    board = Board(
        "workers",
        "Missing Table / Workers",
        "Do the workers take messages, how long do they need, and what do they fail at? "
        "A worker's figures are those of all its processes, and survive its death.",
        variables={"instance": metrics.CONSUMING},
    )
    board.row("Presence", numbers=4)
    board.panel(
        "Workers that answer",
        "Good: as many as were started. Bad: zero: nothing reaches the table by the queue.",
    ).number("short", 'sum(up{job="worker"})', steps=green_from(1))
    board.panel(
        "Consuming",
        "Workers that take deliveries. Good: all. Bad: fewer than answer: alive, and useless; "
        "their broker is unavailable, or they are stuck.",
    ).number("short", f"sum({metrics.CONSUMING})", steps=green_from(1))
    board.panel(
        "Busy",
        "The share of pool children with a task in hand. Good: room to spare. Bad: 100 % for long:"
        " add workers, or find what they wait for.",
    ).number("percentunit", f"sum({metrics.IN_FLIGHT}) / sum({_CHILDREN})", steps=red_from(1))
    board.panel(
        "Youngest worker",
        "How long ago the last worker started. Good: since the last deployment. Bad: minutes, "
        "again and again: something kills them.",
    ).number("s", "time() - max(missing_table_worker_start_time_seconds)")
    board.panel(
        "Taking deliveries",
        "Good: one unbroken bar for each worker. Bad: not consuming (its broker is unavailable), "
        "or a gap (it does not answer).",
    ).states(
        {"{{instance}}": f"max by (instance) ({metrics.CONSUMING}{{{_INSTANCE}}})"},
        {0: ("not consuming", RED), 1: ("consuming", GREEN)},
    )

    board.row("Work")
    board.panel(
        "Attempts of each worker", "Good: all about the same. Bad: one at zero while others work."
    ).lines("ops", {"{{instance}}": rate(f"{metrics.PROCESSED}{{{_INSTANCE}}}", "instance")})
    board.panel(
        "Outcomes",
        "Good: effects. Bad: retried, dead_lettered; returned: neither a retry nor a dead letter "
        "was confirmed, so the broker has the message again.",
    ).lines(
        "ops", {"{{outcome}}": rate(f"{metrics.PROCESSED}{{{_INSTANCE}}}", "outcome")}, stacked=True
    )
    board.panel(
        "In flight in each worker",
        "Good: up and down. Bad: flat at the number of its pool children.",
    ).lines(
        "short",
        {
            "{{instance}}": f"{metrics.IN_FLIGHT}{{{_INSTANCE}}}",
            "pool children of each": f"max({_CHILDREN}{{{_INSTANCE}}})",
        },
    )

    board.row("Times")
    board.panel(
        "One attempt, by task",
        "Good: far below 500 ms. Bad: above: messages wait behind slow ones.",
    ).lines(
        "s",
        {"mean {{task}}": mean(metrics.RUNTIME, "task", where=_INSTANCE)},
        limit=latency_steps(),
    )
    board.panel(
        "One attempt, 99 of 100",
        "By how it ended. Good: both low. Bad: failed ones near the time limit: they wait for "
        "something that does not answer.",
    ).lines(
        "s",
        {"{{outcome}}": quantile(0.99, metrics.RUNTIME, "outcome", where=_INSTANCE)},
        limit=latency_steps(),
    )
    board.panel(
        "Handing a match on",
        "To the API or the database, failures included. Good: most of an attempt's few "
        "milliseconds. Bad: climbs: look at the backend, not at the workers.",
    ).lines(
        "s",
        {
            "mean {{sink}}": mean(_SINK, "sink", where=_INSTANCE),
            "p99 {{sink}}": quantile(0.99, _SINK, "sink", where=_INSTANCE),
        },
        limit=latency_steps(),
    )

    board.row("Failures")
    board.panel("Retries", "Good: none. Bad: the reason names what is unavailable.").lines(
        "ops", {"{{reason}}": rate(f"{metrics.RETRIED}{{{_INSTANCE}}}", "reason")}, stacked=True
    )
    board.panel(
        "Dead letters",
        "Good: none. Bad: exhausted, it was unavailable too long; refused, the API will never "
        "accept it; the others are the sender's fault.",
    ).lines(
        "ops",
        {"{{reason}}": rate(f"{metrics.DEAD_LETTERED}{{{_INSTANCE}}}", "reason")},
        stacked=True,
    )
    board.panel(
        "Published by workers",
        "Retries and dead letters on their way, by the broker's answer. Good: all confirmed. Bad: "
        "anything else: such a message goes back to the broker.",
    ).lines(
        "mps",
        {
            "{{publisher}} {{outcome}}": rate(
                'missing_table_published_total{publisher=~"worker-.+"}', "publisher", "outcome"
            )
        },
    )

    return board
