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
    board.number(
        "Workers that answer",
        "short",
        "Good: as many as were started. Bad: zero: nothing reaches the table by the queue.",
        'sum(up{job="worker"})',
        steps=green_from(1),
    )
    board.number(
        "Consuming",
        "short",
        "Workers that take deliveries. Good: all. Bad: fewer than answer: alive, and useless; "
        "their broker is unavailable, or they are stuck.",
        f"sum({metrics.CONSUMING})",
        steps=green_from(1),
    )
    board.number(
        "Busy",
        "percentunit",
        "The share of pool children with a task in hand. Good: room to spare. Bad: 100 % for long:"
        " add workers, or find what they wait for.",
        f"sum({metrics.IN_FLIGHT}) / sum({_CHILDREN})",
        steps=red_from(1),
    )
    board.number(
        "Youngest worker",
        "s",
        "How long ago the last worker started. Good: since the last deployment. Bad: minutes, "
        "again and again: something kills them.",
        "time() - max(missing_table_worker_start_time_seconds)",
    )
    board.states(
        "Taking deliveries",
        "Good: one unbroken bar for each worker. Bad: not consuming (its broker is unavailable), "
        "or a gap (it does not answer).",
        {"{{instance}}": f"max by (instance) ({metrics.CONSUMING}{{{_INSTANCE}}})"},
        {0: ("not consuming", RED), 1: ("consuming", GREEN)},
    )

    board.row("Work")
    board.lines(
        "Attempts of each worker",
        "ops",
        "Good: all about the same. Bad: one at zero while others work.",
        {"{{instance}}": rate(f"{metrics.PROCESSED}{{{_INSTANCE}}}", "instance")},
    )
    board.lines(
        "Outcomes",
        "ops",
        "Good: effects. Bad: retried, dead_lettered; returned: neither a retry nor a dead letter "
        "was confirmed, so the broker has the message again.",
        {"{{outcome}}": rate(f"{metrics.PROCESSED}{{{_INSTANCE}}}", "outcome")},
        stacked=True,
    )
    board.lines(
        "In flight in each worker",
        "short",
        "Good: up and down. Bad: flat at the number of its pool children.",
        {
            "{{instance}}": f"{metrics.IN_FLIGHT}{{{_INSTANCE}}}",
            "pool children of each": f"max({_CHILDREN}{{{_INSTANCE}}})",
        },
    )

    board.row("Times")
    board.lines(
        "One attempt, by task",
        "s",
        "Good: far below 500 ms. Bad: above: messages wait behind slow ones.",
        {"mean {{task}}": mean(metrics.RUNTIME, "task", where=_INSTANCE)},
        limit=latency_steps(),
    )
    board.lines(
        "One attempt, 99 of 100",
        "s",
        "By how it ended. Good: both low. Bad: failed ones near the time limit: they wait for "
        "something that does not answer.",
        {"{{outcome}}": quantile(0.99, metrics.RUNTIME, "outcome", where=_INSTANCE)},
        limit=latency_steps(),
    )
    board.lines(
        "Handing a match on",
        "s",
        "To the API or the database, failures included. Good: most of an attempt's few "
        "milliseconds. Bad: climbs: look at the backend, not at the workers.",
        {
            "mean {{sink}}": mean(_SINK, "sink", where=_INSTANCE),
            "p99 {{sink}}": quantile(0.99, _SINK, "sink", where=_INSTANCE),
        },
        limit=latency_steps(),
    )

    board.row("Failures")
    board.lines(
        "Retries",
        "ops",
        "Good: none. Bad: the reason names what is unavailable.",
        {"{{reason}}": rate(f"{metrics.RETRIED}{{{_INSTANCE}}}", "reason")},
        stacked=True,
    )
    board.lines(
        "Dead letters",
        "ops",
        "Good: none. Bad: exhausted, it was unavailable too long; refused, the API will never "
        "accept it; the others are the sender's fault.",
        {"{{reason}}": rate(f"{metrics.DEAD_LETTERED}{{{_INSTANCE}}}", "reason")},
        stacked=True,
    )
    board.lines(
        "Published by workers",
        "mps",
        "Retries and dead letters on their way, by the broker's answer. Good: all confirmed. Bad: "
        "anything else: such a message goes back to the broker.",
        {
            "{{publisher}} {{outcome}}": rate(
                'missing_table_published_total{publisher=~"worker-.+"}', "publisher", "outcome"
            )
        },
    )

    return board
