"""The workers, one by one and together."""

from __future__ import annotations

from lab.monitoring.dashboards import promised
from lab.monitoring.dashboards.board import Board, BoardRow
from lab.monitoring.dashboards.panels import (
    GREEN,
    RED,
    PanelState,
    Query,
    lines,
    number,
    red_from,
    states,
)
from lab.monitoring.metrics import (
    CONSUMING,
    DEAD_LETTERED,
    IN_FLIGHT,
    PROCESSED,
    RETRIED,
    RUNTIME,
    mean,
    quantile,
    rate,
)

_INSTANCE = 'instance=~"$instance"'
_SINK = "missing_table_sink_seconds"
_CHILDREN = "missing_table_worker_concurrency"


def board() -> Board:
    """Presence, work, times and failures of the workers."""
    return Board(
        "workers",
        "Missing Table / Workers",
        "Do the workers take messages, how long do they need, and what do they fail at? "
        "A worker's figures are those of all its processes, and survive its death.",
        (_presence(), _work(), _times(), _failures()),
        variables=(("instance", CONSUMING),),
    )


def _presence() -> BoardRow:
    return BoardRow(
        "Presence",
        (
            number(
                "Workers that answer",
                "Good: as many as were started. Bad: zero: nothing reaches the table by the queue.",
                "short",
                Query('sum(up{job="worker"})'),
                steps=((None, RED), (1, GREEN)),
                width=6,
            ),
            number(
                "Consuming",
                "Workers that take deliveries. Good: all. Bad: fewer than answer: alive, and "
                "useless; their broker is unavailable, or they are stuck.",
                "short",
                Query(f"sum({CONSUMING})"),
                steps=((None, RED), (1, GREEN)),
                width=6,
            ),
            number(
                "Busy",
                "The share of pool children with a task in hand. Good: room to spare. Bad: 100 % "
                "for long: add workers, or find what they wait for.",
                "percentunit",
                Query(f"sum({IN_FLIGHT}) / sum({_CHILDREN})"),
                steps=red_from(1),
                width=6,
            ),
            number(
                "Youngest worker",
                "How long ago the last worker started. Good: since the last "
                "deployment. Bad: minutes, again and again: something kills them.",
                "s",
                Query("time() - max(missing_table_worker_start_time_seconds)"),
                width=6,
            ),
            states(
                "Taking deliveries",
                "Good: one unbroken bar for each worker. Bad: not consuming (its broker is "
                "unavailable), "
                "or a gap (it does not answer).",
                Query(f"max by (instance) ({CONSUMING}{{{_INSTANCE}}})", "{{instance}}"),
                {0: PanelState("not consuming", RED), 1: PanelState("consuming", GREEN)},
            ),
        ),
    )


def _work() -> BoardRow:
    return BoardRow(
        "Work",
        (
            lines(
                "Attempts of each worker",
                "Good: all about the same. Bad: one at zero while others work.",
                "ops",
                Query(rate(f"{PROCESSED}{{{_INSTANCE}}}", "instance"), "{{instance}}"),
            ),
            lines(
                "Outcomes",
                "Good: effects. Bad: retried, dead_lettered; returned: neither a retry nor a dead "
                "letter was confirmed, so the broker has the message again.",
                "ops",
                Query(rate(f"{PROCESSED}{{{_INSTANCE}}}", "outcome"), "{{outcome}}"),
                stacked=True,
            ),
            lines(
                "In flight in each worker",
                "Good: up and down. Bad: flat at the number of its pool children.",
                "short",
                Query(f"{IN_FLIGHT}{{{_INSTANCE}}}", "{{instance}}"),
                Query(f"max({_CHILDREN}{{{_INSTANCE}}})", "pool children of each"),
            ),
        ),
    )


def _times() -> BoardRow:
    return BoardRow(
        "Times",
        (
            lines(
                "One attempt, by task",
                "Good: far below 500 ms. Bad: above: messages wait behind slow ones.",
                "s",
                Query(mean(RUNTIME, "task", where=_INSTANCE), "mean {{task}}"),
                limit=red_from(promised.latency_s()),
            ),
            lines(
                "One attempt, 99 of 100",
                "By how it ended. Good: both low. Bad: failed ones near the time limit: they wait "
                "for something that does not answer.",
                "s",
                Query(quantile(0.99, RUNTIME, "outcome", where=_INSTANCE), "{{outcome}}"),
                limit=red_from(promised.latency_s()),
            ),
            lines(
                "Handing a match on",
                "To the API or the database, failures included. Good: most of an attempt's few "
                "milliseconds. Bad: climbs: look at the backend, not at the workers.",
                "s",
                Query(mean(_SINK, "sink", where=_INSTANCE), "mean {{sink}}"),
                Query(quantile(0.99, _SINK, "sink", where=_INSTANCE), "p99 {{sink}}"),
                limit=red_from(promised.latency_s()),
            ),
        ),
    )


def _failures() -> BoardRow:
    return BoardRow(
        "Failures",
        (
            lines(
                "Retries",
                "Good: none. Bad: the reason names what is unavailable.",
                "ops",
                Query(rate(f"{RETRIED}{{{_INSTANCE}}}", "reason"), "{{reason}}"),
                stacked=True,
            ),
            lines(
                "Dead letters",
                "Good: none. Bad: exhausted, it was unavailable too long; refused, the API will "
                "never "
                "accept it; the others are the sender's fault.",
                "ops",
                Query(rate(f"{DEAD_LETTERED}{{{_INSTANCE}}}", "reason"), "{{reason}}"),
                stacked=True,
            ),
            lines(
                "Published by workers",
                "Retries and dead letters on their way, by the broker's answer. Good: all "
                "confirmed. Bad: anything else: such a message goes back to the broker.",
                "mps",
                Query(
                    rate(
                        'missing_table_published_total{publisher=~"worker-.+"}',
                        "publisher",
                        "outcome",
                    ),
                    "{{publisher}} {{outcome}}",
                ),
            ),
        ),
    )
