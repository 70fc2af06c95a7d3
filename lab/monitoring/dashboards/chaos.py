"""Cause above, effect below: the lab's faults on one time axis with what they did."""

from __future__ import annotations

from lab.monitoring import metrics
from lab.monitoring.dashboards.board import GREEN, GREY, RED, Board, latency_steps, success_steps
from lab.monitoring.metrics import mean, quantile, rate

_UP_OR_DOWN = {0: ("down", RED), 1: ("up", GREEN)}


def draw() -> Board:
    """For experiments; needs the lab's own metrics."""
    board = Board(
        "chaos",
        "Missing Table / Faults and what they did",
        "What did a fault do, and did everything recover by itself? "
        "Put the cursor on a fault's end: success, latency and queues should recover soon after.",
    )
    board.row("Cause")
    board.panel(
        "Faults",
        "Active faults of the lab. Good: bars where an experiment wanted them. Bad: a bar that "
        "does not end: its cure has failed.",
    ).states(
        {"{{fault}}": f"max by (fault) ({metrics.FAULTS})"},
        {0: ("quiet", GREY), 1: ("active", RED)},
    )
    board.panel(
        "Who answers",
        "Everything that is scraped. Good: down only while a fault is active. Bad: down after it, "
        "or a gap.",
    ).states({"{{job}} {{instance}}": "max by (job, instance) (up)"}, _UP_OR_DOWN)

    board.row("Effect")
    board.panel(
        "Success",
        "The share of messages that took effect. Good: 100 % throughout: a fault makes messages "
        "late, never lost. Bad: falls below 99.9 %.",
    ).lines(
        "percentunit",
        {"took effect": '1 - slo:sli_error:ratio_rate5m{slo="success"}'},
        limit=success_steps(),
        soft_range=(0.99, 1),
    )
    board.panel(
        "Latency",
        "Good: a hill during the fault, then below the line at 500 ms again. Bad: stays up.",
    ).lines(
        "s",
        {"mean": mean(metrics.LATENCY), "p99": quantile(0.99, metrics.LATENCY)},
        limit=latency_steps(),
    )
    board.panel(
        "Queue depth",
        "Good: a hill that drains after the fault. Bad: a plateau: no consumer; retry queues that "
        "never empty.",
    ).lines(
        "short",
        {
            "{{queue}}": f"sum by (queue) ({metrics.READY}{{{metrics.WORK_QUEUES}}})",
            "waiting for a retry": f"sum({metrics.READY}{{{metrics.RETRY_QUEUES}}})",
            "outbox": f'sum({metrics.OUTBOX}{{state="waiting"}})',
        },
    )
    board.panel(
        "Effects, retries, dead letters",
        "Good: effects pause, retries take over, then effects catch up. Bad: dead letters.",
    ).lines(
        "mps",
        {
            "effects": rate(metrics.TOOK_EFFECT),
            "retries": rate(metrics.RETRIED),
            "dead letters": rate(metrics.DEAD_LETTERED),
        },
    )
    board.panel(
        "Workers that consume",
        "Good: all again soon after the fault. Bad: fewer for good: one is alive and useless.",
    ).lines(
        "short", {"consuming": f"sum({metrics.CONSUMING})", "answering": 'sum(up{job="worker"})'}
    )
    board.panel(
        "Delivered again",
        "Good: a few after a worker's death or a cut link; each still takes effect once. Bad: a "
        "steady stream: a message kills its worker again and again.",
    ).lines(
        "mps",
        {
            "redelivered": rate("rabbitmq_global_messages_redelivered_total"),
            "duplicates": rate('missing_table_effects_total{effect="duplicate"}'),
        },
    )

    board.row("Afterwards: the counts of the lab")
    board.panel(
        "Messages, as the ledger has seen them",
        "Good: took effect and dead-lettered together reach accepted, and waiting falls to zero. "
        "Bad: a gap that stays: messages are lost, or still wait.",
    ).lines("short", {"{{state}}": "sum by (state) (missing_table_lab_messages)"}, width=24)

    return board
