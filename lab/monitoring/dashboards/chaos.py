"""Cause above, effect below: the lab's faults on one time axis with what they did."""

from __future__ import annotations

from lab.monitoring.dashboards import promised
from lab.monitoring.dashboards.board import Board, BoardRow
from lab.monitoring.dashboards.panels import (
    GREEN,
    GREY,
    RED,
    PanelState,
    Query,
    green_from,
    lines,
    red_from,
    states,
)
from lab.monitoring.metrics import (
    CONSUMING,
    DEAD_LETTERED,
    FAULTS,
    LATENCY,
    OUTBOX,
    READY,
    RETRIED,
    RETRY_QUEUES,
    TOOK_EFFECT,
    WORK_QUEUES,
    mean,
    quantile,
    rate,
)

_UP_OR_DOWN = {0: PanelState("down", RED), 1: PanelState("up", GREEN)}


def board() -> Board:
    """For experiments; needs the lab's own metrics."""
    return Board(
        "chaos",
        "Missing Table / Faults and what they did",
        "What did a fault do, and did everything recover by itself? "
        "Put the cursor on a fault's end: success, latency and queues should recover soon after.",
        (_cause(), _effect(), _after()),
    )


def _cause() -> BoardRow:
    return BoardRow(
        "Cause",
        (
            states(
                "Faults",
                "Active faults of the lab. Good: bars where an experiment wanted them. "
                "Bad: a bar that does not end: its cure has failed.",
                Query(f"max by (fault) ({FAULTS})", "{{fault}}"),
                {0: PanelState("quiet", GREY), 1: PanelState("active", RED)},
            ),
            states(
                "Who answers",
                "Everything that is scraped. Good: down only while a fault is active. "
                "Bad: down after it, or a gap.",
                Query("max by (job, instance) (up)", "{{job}} {{instance}}"),
                _UP_OR_DOWN,
            ),
        ),
    )


def _effect() -> BoardRow:
    return BoardRow(
        "Effect",
        (
            lines(
                "Success",
                "The share of messages that took effect. Good: 100 % throughout: a fault makes "
                "messages late, never lost. Bad: falls below 99.9 %.",
                "percentunit",
                Query('1 - slo:sli_error:ratio_rate5m{slo="success"}', "took effect"),
                limit=green_from(promised.success()),
                soft_range=(0.99, 1),
            ),
            lines(
                "Latency",
                "Good: a hill during the fault, then below the line at 500 ms again. "
                "Bad: stays up.",
                "s",
                Query(mean(LATENCY), "mean"),
                Query(quantile(0.99, LATENCY), "p99"),
                limit=red_from(promised.latency_s()),
            ),
            lines(
                "Queue depth",
                "Good: a hill that drains after the fault. Bad: a plateau: no consumer; "
                "retry queues that never empty.",
                "short",
                Query(f"sum by (queue) ({READY}{{{WORK_QUEUES}}})", "{{queue}}"),
                Query(f"sum({READY}{{{RETRY_QUEUES}}})", "waiting for a retry"),
                Query(f'sum({OUTBOX}{{state="waiting"}})', "outbox"),
            ),
            lines(
                "Effects, retries, dead letters",
                "Good: effects pause, retries take over, then effects catch up. Bad: dead letters.",
                "mps",
                Query(rate(TOOK_EFFECT), "effects"),
                Query(rate(RETRIED), "retries"),
                Query(rate(DEAD_LETTERED), "dead letters"),
            ),
            lines(
                "Workers that consume",
                "Good: all again soon after the fault. Bad: fewer for good: one is alive and "
                "useless.",
                "short",
                Query(f"sum({CONSUMING})", "consuming"),
                Query('sum(up{job="worker"})', "answering"),
            ),
            lines(
                "Delivered again",
                "Good: a few after a worker's death or a cut link; each still takes effect once. "
                "Bad: a steady stream: a message kills its worker again and again.",
                "mps",
                Query(rate("rabbitmq_global_messages_redelivered_total"), "redelivered"),
                Query(rate('missing_table_effects_total{effect="duplicate"}'), "duplicates"),
            ),
        ),
    )


def _after() -> BoardRow:
    return BoardRow(
        "Afterwards: the counts of the lab",
        (
            lines(
                "Messages, as the ledger has seen them",
                "Good: took effect and dead-lettered together reach accepted, and waiting falls to "
                "zero. Bad: a gap that stays: messages are lost, or still wait.",
                "short",
                Query("sum by (state) (missing_table_lab_messages)", "{{state}}"),
                width=24,
            ),
        ),
    )
