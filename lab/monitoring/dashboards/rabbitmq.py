"""The broker: alarms, flow, queues one by one. Names that RabbitMQ 3.10 and 4 have in common."""

from __future__ import annotations

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
from lab.monitoring.metrics import CONSUMERS, IN_QUEUE, READY, UNACKED, rate

_ALARMS = (
    "max by (alarm) (label_replace("
    '{__name__=~"rabbitmq_alarms_(memory_used_watermark|free_disk_space_watermark)"}, '
    '"alarm", "$1", "__name__", "rabbitmq_alarms_(.+)_watermark"))'
)
_QUEUE = 'queue=~"$queue"'
_GLOBAL = "rabbitmq_global_messages"


def board() -> Board:
    """The broker's own metrics."""
    return Board(
        "rabbitmq",
        "Missing Table / RabbitMQ",
        "Does the broker accept and deliver messages, and which queue does not? "
        "The rows on queues use the detailed endpoint, the others the aggregated one.",
        (_health(), _flow(), _queues(), _resources(), _clients()),
        variables=(("queue", IN_QUEUE),),
    )


def _health() -> BoardRow:
    return BoardRow(
        "Health",
        (
            number(
                "Nodes that answer",
                "Good: as many as there should be, one or three. Bad: fewer; a cluster of three "
                "goes on with two, and stops with one.",
                "short",
                Query('sum(up{job="rabbitmq"})'),
                steps=((None, RED), (1, GREEN)),
                width=4,
            ),
            number(
                "Ready, all queues",
                "Good: small. Bad: growing; see which queue below.",
                "short",
                Query("sum(rabbitmq_queue_messages_ready)"),
                width=4,
            ),
            number(
                "In hand, all queues",
                "Delivered, not acknowledged yet. Good: at most what the workers may hold. "
                "Bad: stays the same while nothing is acknowledged.",
                "short",
                Query("sum(rabbitmq_queue_messages_unacked)"),
                width=4,
            ),
            number(
                "Consumers",
                "Good: one for each worker and queue. Bad: zero: nothing is consumed.",
                "short",
                Query("sum(rabbitmq_consumers)"),
                steps=((None, RED), (1, GREEN)),
                width=4,
            ),
            number(
                "Connections",
                "Good: steady. Bad: climbing without end: a client opens and never closes.",
                "short",
                Query("sum(rabbitmq_connections)"),
                width=4,
            ),
            number(
                "Queues",
                "Good: constant. Bad: fewer than the topology declares.",
                "short",
                Query("sum(rabbitmq_queues)"),
                width=4,
            ),
            states(
                "Alarms",
                "Good: both quiet. Bad: raised: the broker blocks all publishers until memory or "
                "disk is free again; the scraper's outbox fills meanwhile.",
                Query(_ALARMS, "{{alarm}}"),
                {0: PanelState("quiet", GREEN), 1: PanelState("raised", RED)},
            ),
        ),
    )


def _flow() -> BoardRow:
    return BoardRow(
        "Flow: all protocols, all queues",
        (
            lines(
                "In: received and confirmed",
                "Good: every message that is to be confirmed is, at once. Bad: confirmed stays "
                "below received: quorum or disk is slow, or an alarm is raised.",
                "mps",
                Query(rate(f"{_GLOBAL}_received_total"), "received"),
                Query(rate(f"{_GLOBAL}_received_confirm_total"), "to be confirmed"),
                Query(rate(f"{_GLOBAL}_confirmed_total"), "confirmed"),
            ),
            lines(
                "Out: delivered and acknowledged",
                "Good: the same. Bad: delivered without acknowledged: workers take and do not "
                "finish; redelivered: they died or gave messages back.",
                "mps",
                Query(rate(f"{_GLOBAL}_delivered_total"), "delivered"),
                Query(rate(f"{_GLOBAL}_acknowledged_total"), "acknowledged"),
                Query(rate(f"{_GLOBAL}_redelivered_total"), "redelivered"),
            ),
            lines(
                "No queue for them",
                "Returned: the publisher was informed. Dropped: it did not ask for that; Celery's "
                "events with "
                "no listener are dropped all the time. Good: returned is zero. Bad: it is not: "
                "a binding is missing.",
                "mps",
                Query(rate(f"{_GLOBAL}_unroutable_returned_total"), "returned"),
                Query(rate(f"{_GLOBAL}_unroutable_dropped_total"), "dropped"),
            ),
            lines(
                "Dead-lettered by the broker",
                "Expired are the retry steps at work: messages go back to the workers when their "
                "wait is over. Good: nothing else. Bad: delivery limit: a message kills workers.",
                "mps",
                *(
                    Query(rate(f"{_GLOBAL}_dead_lettered_{reason}_total"), reason.replace("_", " "))
                    for reason in ("expired", "delivery_limit", "rejected", "maxlen", "confirmed")
                ),
                width=24,
            ),
        ),
    )


def _queues() -> BoardRow:
    return BoardRow(
        "Queues, one by one",
        (
            lines(
                "Ready",
                "Good: matches.process falls to zero after a burst; matches.dead-letter is zero. "
                "Bad: grows in matches.process: too few workers; in a retry queue: something is "
                "unavailable; in matches.dead-letter: a person must look.",
                "short",
                Query(f"sum by (queue) ({READY}{{{_QUEUE}}})", "{{queue}}"),
            ),
            lines(
                "In hand",
                "Good: moves with the load, never above prefetch times workers. Bad: flat and "
                "high, workers are stuck.",
                "short",
                Query(f"sum by (queue) ({UNACKED}{{{_QUEUE}}})", "{{queue}}"),
            ),
            lines(
                "Consumers of each queue",
                "Good: one for each worker at matches.process and matches.validate, none at the "
                "retry queues and dead letters, by design. Bad: zero at the first two.",
                "short",
                Query(f"sum by (queue) ({CONSUMERS}{{{_QUEUE}}})", "{{queue}}"),
            ),
        ),
    )


def _resources() -> BoardRow:
    return BoardRow(
        "Resources of each node",
        (
            lines(
                "Memory",
                "Good: far below the limit. Bad: near it: at the limit publishers are blocked.",
                "bytes",
                Query("rabbitmq_process_resident_memory_bytes", "{{instance}}"),
                Query("rabbitmq_resident_memory_limit_bytes", "{{instance}} limit"),
            ),
            lines(
                "Disk free",
                "Good: far above the limit. Bad: falls towards it: below, publishers are blocked.",
                "bytes",
                Query("rabbitmq_disk_space_available_bytes", "{{instance}}"),
                Query("rabbitmq_disk_space_available_limit_bytes", "{{instance}} limit"),
            ),
            lines(
                "File descriptors in use",
                "The share of what the node may open. Good: a few percent. Bad: near 100 %: it "
                "takes no more connections.",
                "percentunit",
                Query("rabbitmq_process_open_fds / rabbitmq_process_max_fds", "{{instance}}"),
                limit=red_from(0.9),
            ),
        ),
    )


def _clients() -> BoardRow:
    return BoardRow(
        "Clients",
        (
            lines(
                "Connections and channels",
                "Good: steady. Bad: stairs upwards (a leak), or a fall to zero (a partition).",
                "short",
                Query("sum(rabbitmq_connections)", "connections"),
                Query("sum(rabbitmq_channels)", "channels"),
            ),
            lines(
                "Connections opened and closed",
                "Good: the scraper's few, as it runs. Bad: many a second: a client reconnects in a "
                "loop; see its log.",
                "ops",
                Query(rate("rabbitmq_connections_opened_total"), "opened"),
                Query(rate("rabbitmq_connections_closed_total"), "closed"),
            ),
            states(
                "Nodes",
                "Good: up. Bad: down, or a gap: it was not scraped.",
                Query('max by (instance) (up{job="rabbitmq"})', "{{instance}}"),
                {0: PanelState("down", RED), 1: PanelState("up", GREEN)},
                width=8,
            ),
        ),
    )
