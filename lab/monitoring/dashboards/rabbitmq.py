"""The broker: alarms, flow, queues one by one. Names that RabbitMQ 3.10 and 4 have in common."""

from __future__ import annotations

from lab.monitoring.dashboards.board import GREEN, RED, Board, green_from, red_from
from lab.monitoring.metrics import CONSUMERS, IN_QUEUE, READY, UNACKED, rate

_ALARMS = (
    "max by (alarm) (label_replace("
    '{__name__=~"rabbitmq_alarms_(memory_used_watermark|free_disk_space_watermark)"}, '
    '"alarm", "$1", "__name__", "rabbitmq_alarms_(.+)_watermark"))'
)
_QUEUE = 'queue=~"$queue"'
_GLOBAL = "rabbitmq_global_messages"


def draw() -> Board:
    """The broker's own metrics."""
    board = Board(
        "rabbitmq",
        "Missing Table / RabbitMQ",
        "Does the broker accept and deliver messages, and which queue does not? "
        "The rows on queues use the detailed endpoint, the others the aggregated one.",
        variables={"queue": IN_QUEUE},
    )
    board.row("Health", numbers=6)
    board.panel(
        "Nodes that answer",
        "Good: as many as there should be, one or three. Bad: fewer; a cluster of three goes on "
        "with two, and stops with one.",
    ).number("short", 'sum(up{job="rabbitmq"})', steps=green_from(1))
    board.panel("Ready, all queues", "Good: small. Bad: growing; see which queue below.").number(
        "short", "sum(rabbitmq_queue_messages_ready)"
    )
    board.panel(
        "In hand, all queues",
        "Delivered, not acknowledged yet. Good: at most what the workers may hold. Bad: stays the "
        "same while nothing is acknowledged.",
    ).number("short", "sum(rabbitmq_queue_messages_unacked)")
    board.panel(
        "Consumers", "Good: one for each worker and queue. Bad: zero: nothing is consumed."
    ).number("short", "sum(rabbitmq_consumers)", steps=green_from(1))
    board.panel(
        "Connections", "Good: steady. Bad: climbing without end: a client opens and never closes."
    ).number("short", "sum(rabbitmq_connections)")
    board.panel("Queues", "Good: constant. Bad: fewer than the topology declares.").number(
        "short", "sum(rabbitmq_queues)"
    )
    board.panel(
        "Alarms",
        "Good: both quiet. Bad: raised: the broker blocks all publishers until memory or disk is "
        "free again; the scraper's outbox fills meanwhile.",
    ).states({"{{alarm}}": _ALARMS}, {0: ("quiet", GREEN), 1: ("raised", RED)})

    board.row("Flow: all protocols, all queues")
    board.panel(
        "In: received and confirmed",
        "Good: every message that is to be confirmed is, at once. Bad: confirmed stays below "
        "received: quorum or disk is slow, or an alarm is raised.",
    ).lines(
        "mps",
        {
            "received": rate(f"{_GLOBAL}_received_total"),
            "to be confirmed": rate(f"{_GLOBAL}_received_confirm_total"),
            "confirmed": rate(f"{_GLOBAL}_confirmed_total"),
        },
    )
    board.panel(
        "Out: delivered and acknowledged",
        "Good: the same. Bad: delivered without acknowledged: workers take and do not finish; "
        "redelivered: they died or gave messages back.",
    ).lines(
        "mps",
        {
            "delivered": rate(f"{_GLOBAL}_delivered_total"),
            "acknowledged": rate(f"{_GLOBAL}_acknowledged_total"),
            "redelivered": rate(f"{_GLOBAL}_redelivered_total"),
        },
    )
    board.panel(
        "No queue for them",
        "Returned: the publisher was informed. Dropped: it did not ask for that; Celery's events "
        "with no listener are dropped all the time. Good: returned is zero. Bad: it is not: a "
        "binding is missing.",
    ).lines(
        "mps",
        {
            "returned": rate(f"{_GLOBAL}_unroutable_returned_total"),
            "dropped": rate(f"{_GLOBAL}_unroutable_dropped_total"),
        },
    )
    board.panel(
        "Dead-lettered by the broker",
        "Expired are the retry steps at work: messages go back to the workers when their wait is "
        "over. Good: nothing else. Bad: delivery limit: a message kills workers.",
    ).lines(
        "mps",
        {
            reason.replace("_", " "): rate(f"{_GLOBAL}_dead_lettered_{reason}_total")
            for reason in ("expired", "delivery_limit", "rejected", "maxlen", "confirmed")
        },
        width=24,
    )

    board.row("Queues, one by one")
    board.panel(
        "Ready",
        "Good: matches.process falls to zero after a burst; matches.dead-letter is zero. Bad: "
        "grows in matches.process: too few workers; in a retry queue: something is unavailable; in"
        " matches.dead-letter: a person must look.",
    ).lines("short", {"{{queue}}": f"sum by (queue) ({READY}{{{_QUEUE}}})"})
    board.panel(
        "In hand",
        "Good: moves with the load, never above prefetch times workers. Bad: flat and high, "
        "workers are stuck.",
    ).lines("short", {"{{queue}}": f"sum by (queue) ({UNACKED}{{{_QUEUE}}})"})
    board.panel(
        "Consumers of each queue",
        "Good: one for each worker at matches.process and matches.validate, none at the retry "
        "queues and dead letters, by design. Bad: zero at the first two.",
    ).lines("short", {"{{queue}}": f"sum by (queue) ({CONSUMERS}{{{_QUEUE}}})"})

    board.row("Resources of each node")
    board.panel(
        "Memory", "Good: far below the limit. Bad: near it: at the limit publishers are blocked."
    ).lines(
        "bytes",
        {
            "{{instance}}": "rabbitmq_process_resident_memory_bytes",
            "{{instance}} limit": "rabbitmq_resident_memory_limit_bytes",
        },
    )
    board.panel(
        "Disk free",
        "Good: far above the limit. Bad: falls towards it: below, publishers are blocked.",
    ).lines(
        "bytes",
        {
            "{{instance}}": "rabbitmq_disk_space_available_bytes",
            "{{instance}} limit": "rabbitmq_disk_space_available_limit_bytes",
        },
    )
    board.panel(
        "File descriptors in use",
        "The share of what the node may open. Good: a few percent. Bad: near 100 %: it takes no "
        "more connections.",
    ).lines(
        "percentunit",
        {"{{instance}}": "rabbitmq_process_open_fds / rabbitmq_process_max_fds"},
        limit=red_from(0.9),
    )

    board.row("Clients")
    board.panel(
        "Connections and channels",
        "Good: steady. Bad: stairs upwards (a leak), or a fall to zero (a partition).",
    ).lines(
        "short", {"connections": "sum(rabbitmq_connections)", "channels": "sum(rabbitmq_channels)"}
    )
    board.panel(
        "Connections opened and closed",
        "Good: the scraper's few, as it runs. Bad: many a second: a client reconnects in a loop; "
        "see its log.",
    ).lines(
        "ops",
        {
            "opened": rate("rabbitmq_connections_opened_total"),
            "closed": rate("rabbitmq_connections_closed_total"),
        },
    )
    board.panel("Nodes", "Good: up. Bad: down, or a gap: it was not scraped.").states(
        {"{{instance}}": 'max by (instance) (up{job="rabbitmq"})'},
        {0: ("down", RED), 1: ("up", GREEN)},
        width=8,
    )

    return board
