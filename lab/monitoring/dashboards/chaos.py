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
    board.states(
        "Faults",
        "Active faults of the lab. Good: bars where an experiment wanted them. Bad: a bar that "
        "does not end: its cure has failed.",
        {"{{fault}}": f"max by (fault) ({metrics.FAULTS})"},
        {0: ("quiet", GREY), 1: ("active", RED)},
    )
    board.states(
        "Who answers",
        "Everything that is scraped. Good: down only while a fault is active. Bad: down after it, "
        "or a gap.",
        {"{{job}} {{instance}}": "max by (job, instance) (up)"},
        _UP_OR_DOWN,
    )

    board.row("Effect")
    board.lines(
        "Success",
        "percentunit",
        "The share of messages that took effect. Good: 100 % throughout: a fault makes messages "
        "late, never lost. Bad: falls below 99.9 %.",
        {"took effect": '1 - slo:sli_error:ratio_rate5m{slo="success"}'},
        limit=success_steps(),
        soft_range=(0.99, 1),
    )
    board.lines(
        "Latency",
        "s",
        "Good: a hill during the fault, then below the line at 500 ms again. Bad: stays up.",
        {"mean": mean(metrics.LATENCY), "p99": quantile(0.99, metrics.LATENCY)},
        limit=latency_steps(),
    )
    board.lines(
        "Queue depth",
        "short",
        "Good: a hill that drains after the fault. Bad: a plateau: no consumer; retry queues that "
        "never empty.",
        {
            "{{queue}}": f"sum by (queue) ({metrics.READY}{{{metrics.WORK_QUEUES}}})",
            "waiting for a retry": f"sum({metrics.READY}{{{metrics.RETRY_QUEUES}}})",
            "outbox": f'sum({metrics.OUTBOX}{{state="waiting"}})',
        },
    )
    board.lines(
        "Effects, retries, dead letters",
        "mps",
        "Good: effects pause, retries take over, then effects catch up. Bad: dead letters.",
        {
            "effects": rate(metrics.TOOK_EFFECT),
            "retries": rate(metrics.RETRIED),
            "dead letters": rate(metrics.DEAD_LETTERED),
        },
    )
    board.lines(
        "Workers that consume",
        "short",
        "Good: all again soon after the fault. Bad: fewer for good: one is alive and useless.",
        {"consuming": f"sum({metrics.CONSUMING})", "answering": 'sum(up{job="worker"})'},
    )
    board.lines(
        "Delivered again",
        "mps",
        "Good: a few after a worker's death or a cut link; each still takes effect once. Bad: a "
        "steady stream: a message kills its worker again and again.",
        {
            "redelivered": rate("rabbitmq_global_messages_redelivered_total"),
            "duplicates": rate('missing_table_effects_total{effect="duplicate"}'),
        },
    )

    board.row("Afterwards: the counts of the lab")
    board.lines(
        "Messages, as the ledger has seen them",
        "short",
        "Good: took effect and dead-lettered together reach accepted, and waiting falls to zero. "
        "Bad: a gap that stays: messages are lost, or still wait.",
        {"{{state}}": "sum by (state) (missing_table_lab_messages)"},
        width=24,
    )

    return board
