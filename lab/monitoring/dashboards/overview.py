"""The way of a message, from the league's page to the receipt: the first board to open."""

from __future__ import annotations

from lab.monitoring import metrics
from lab.monitoring.dashboards.board import (
    AMBER,
    GREEN,
    RED,
    Board,
    latency_steps,
    red_from,
    success_steps,
)
from lab.monitoring.metrics import mean, quantile, rate

_LAST_SUCCESS = "missing_table_scraper_last_success_timestamp_seconds"


def draw() -> Board:
    """From page to receipt, in the order in which a message passes."""
    board = Board(
        "overview",
        "Missing Table / The way of a message",
        "Is the pipeline healthy, and if not, at which stage of a message's way does it fail? "
        "Read from the top: the first row that looks wrong is the cause, those below are its "
        "consequences.",
    )

    board.row("At a glance", numbers=8)
    board.panel(
        "Success",
        "The share of messages of the last minutes that took effect. Good: 99.9 % or more. Bad: "
        "red, the error budget burns; see the board on objectives.",
    ).number(
        "percentunit",
        '1 - slo:sli_error:ratio_rate5m{slo="success"}',
        steps=success_steps(),
        decimals=2,
        no_value="no traffic",
    )
    board.panel(
        "Mean latency",
        "From first publish to the end, failed messages included. Good: well below 500 ms. Bad: "
        "red; look where messages wait: outbox, queues, retries.",
    ).number("s", "slo:sli_mean:seconds_rate5m", steps=latency_steps(), no_value="no traffic")
    board.panel(
        "Accepted",
        "Messages made safe, a second. Good: bursts as the scraper runs, nothing between. Bad: "
        "nothing for longer than the scraper's interval.",
    ).number("mps", rate(metrics.ACCEPTED))
    board.panel(
        "Took effect",
        "Messages whose change is in the table, a second. Good: follows what was accepted. Bad: "
        "zero while messages are ready in the broker.",
    ).number("mps", rate(metrics.TOOK_EFFECT))
    board.panel(
        "Ready in queues",
        "Messages that a worker could take this moment. Good: near zero between bursts. Bad: "
        "growing, so the workers do not keep up or do not consume.",
    ).number(
        "short", "sum(queue:messages_ready:sum)", steps=((None, GREEN), (1000, AMBER), (5000, RED))
    )
    board.panel(
        "Dead letters",
        "Messages that were given up and wait for a person. Good: zero. Bad: any; list them, "
        "repair the cause, replay them.",
    ).number("short", f"sum({metrics.IN_QUEUE}{{{metrics.DEAD_LETTERS}}})", steps=red_from(1))
    board.panel(
        "In the outbox",
        "Messages that the scraper could not send yet; they are safe. Good: zero. Bad: some, for "
        "longer than it takes the broker to come back.",
    ).number(
        "short", f'sum({metrics.OUTBOX}{{state="waiting"}})', steps=((None, GREEN), (1, AMBER))
    )
    board.panel(
        "Alerts firing",
        "Without the watchdog, which always fires. Good: zero. Bad: any; each has a runbook in "
        "docs/runbooks.",
    ).number("short", f"count({metrics.FIRING}) or vector(0)", steps=red_from(1))
    _way_in(board)
    _way_out(board)
    return board


def _way_in(board: Board) -> None:
    """Scraper, outbox, broker."""
    board.row("Scraper: reads the league's pages")
    board.panel(
        "Time since the last success",
        "Good: a saw whose teeth end below the interval at which the scraper should run. Bad: "
        "above it, no page was read and made safe; above twice, an alert fires.",
    ).lines(
        "s",
        {
            "since the last success": f"time() - ({_LAST_SUCCESS} > 0)",
            "interval": "missing_table_scraper_interval_seconds",
        },
    )
    board.panel(
        "Rows of pages",
        "Good: almost all are read. Bad: many refused, so the league changed its pages; or many "
        "repeated, so its pages overlap.",
    ).lines(
        "ops", {"{{outcome}}": rate("missing_table_scraper_rows_total", "outcome")}, stacked=True
    )
    board.panel(
        "Runs by result",
        "How the scraper's runs ended so far. Good: only complete and partial ones grow. Bad: "
        "failed, no page could be read; incomplete, something may not have been read; spooled, all "
        "messages stayed in the outbox; undelivered, not even the outbox took them.",
    ).lines("short", {"{{result}}": "sum by (result) (missing_table_scraper_runs_total)"})

    board.row("Outbox: keeps what could not be sent")
    board.panel(
        "Messages in the outbox",
        "Good: zero. Bad: waiting ones that stay when the broker is back; refused ones, which wait"
        " for a person.",
    ).lines("short", {"{{state}}": f"sum by (state) ({metrics.OUTBOX})"})
    board.panel(
        "Oldest message in the outbox",
        "Good: zero. Bad: a line that climbs for longer than two intervals of the scraper: it does"
        " not run, or the broker is still unavailable.",
    ).lines("s", {"oldest": f"max({metrics.OUTBOX_AGE})"})
    board.panel(
        "Accepted and drained, by way",
        "Where messages were made safe at first, and how they left the outbox later. Good: all by "
        "queue. Bad: http or outbox, the broker did not accept them.",
    ).lines(
        "mps",
        {
            "accepted: {{way}}": rate(metrics.ACCEPTED, "way"),
            "drained: {{way}}": rate("missing_table_drained_total", "way"),
        },
    )

    board.row("Broker: holds messages until a worker takes them")
    board.panel(
        "Published, by the broker's answer",
        "Good: all confirmed. Bad: returned, no queue is bound; nacked, the broker refused; "
        "unknown, it never answered and may have them.",
    ).lines("mps", {"{{outcome}}": rate("missing_table_published_total", "outcome")})
    board.panel(
        "Ready and in hand",
        "Good: ready falls to zero after each burst. Bad: ready grows; or messages stay in hand "
        "(unacked) while nothing is processed: a worker is stuck.",
    ).lines(
        "short",
        {
            "{{queue}} ready": f"sum by (queue) ({metrics.READY}{{{metrics.WORK_QUEUES}}})",
            "{{queue}} in hand": f"sum by (queue) ({metrics.UNACKED}{{{metrics.WORK_QUEUES}}})",
        },
    )
    board.panel(
        "Waiting for a retry",
        "Good: zero. Bad: messages climb to queues of longer waits: what they need (database, API)"
        " is still unavailable. They come back by themselves.",
    ).lines(
        "short",
        {"{{queue}}": f"sum by (queue) ({metrics.IN_QUEUE}{{{metrics.RETRY_QUEUES}}})"},
        stacked=True,
    )
    board.panel(
        "Time to a confirm",
        "From sending a message to its confirm, 99 of 100. Good: some milliseconds. Bad: climbs, "
        "the broker's disk is slow or an alarm blocks publishers.",
    ).lines(
        "s",
        {"p99 {{publisher}}": quantile(0.99, "missing_table_publish_seconds", "publisher")},
        width=12,
    )
    board.panel(
        "On their way to the broker",
        "Sent and not answered yet. Good: near zero. Bad: stays up, no confirms come.",
    ).lines(
        "short",
        {"{{publisher}}": "sum by (publisher) (missing_table_publisher_unconfirmed)"},
        width=12,
    )


def _way_out(board: Board) -> None:
    """Worker, backend, effects, and latency."""
    board.row("Worker: validates, and hands matches to the backend")
    board.panel(
        "Attempts by outcome",
        "Good: created, updated, unchanged, filled, stale; some duplicates after a crash. Bad: "
        "retried, something is unavailable; dead_lettered, something is permanently wrong.",
    ).lines("ops", {"{{outcome}}": rate(metrics.PROCESSED, "outcome")}, stacked=True)
    board.panel(
        "Retries by reason",
        "Good: none. Bad: a burst names what is unavailable; a trickle, what is unreliable.",
    ).lines("ops", {"{{reason}}": rate(metrics.RETRIED, "reason")})
    board.panel(
        "Time of one attempt",
        "Failed attempts included. Good: far below 500 ms. Bad: near the time limit, what the "
        "worker calls is slow; see the backend's rows.",
    ).lines(
        "s",
        {"mean": mean(metrics.RUNTIME), "p99": quantile(0.99, metrics.RUNTIME)},
        limit=latency_steps(),
    )
    board.panel(
        "In flight",
        "Tasks that run now. Good: moves with the load. Bad: flat at the number of pool children "
        "while messages are ready: all of them are stuck.",
    ).lines(
        "short",
        {
            "{{instance}}": f"sum by (instance) ({metrics.IN_FLIGHT})",
            "pool children": "sum(missing_table_worker_concurrency)",
        },
        width=24,
    )

    board.row("Backend: writes match and receipt in one transaction")
    board.panel(
        "Requests by status",
        "Good: 2xx. Bad: 5xx, the database is unavailable; 4xx, a sender breaks the contract.",
    ).lines(
        "reqps", {"{{status}}": rate("missing_table_http_requests_total", "status")}, stacked=True
    )
    board.panel(
        "Time to an answer",
        "99 of 100 requests, by route. Good: tens of milliseconds. Bad: climbs together with the "
        "database's times below: the database is the cause.",
    ).lines(
        "s",
        {"p99 {{route}}": quantile(0.99, "missing_table_http_request_seconds", "route")},
        limit=latency_steps(),
    )
    board.panel(
        "Time in the database",
        "The mean of each operation. Good: milliseconds. Bad: climbs: locks, a full disk, too many"
        " connections.",
    ).lines("s", {"{{operation}}": mean("missing_table_database_seconds", "operation")})

    board.row("Effects: what changed in the table")
    board.panel(
        "Effects",
        "Good: what is new on a page is created or updated, the rest unchanged. Bad: many "
        "duplicates, messages come again and again; invalid, the API refused them.",
    ).lines("mps", {"{{effect}}": rate("missing_table_effects_total", "effect")}, stacked=True)
    board.panel(
        "Given up, by reason",
        "Good: none. Bad: exhausted or refused burn the error budget; invalid, unreadable and "
        "unknown-task are the sender's fault.",
    ).lines("mps", {"{{reason}}": rate(metrics.DEAD_LETTERED, "reason")})
    board.panel(
        "Accepted against finished",
        "Everything since the start. Good: the lines meet whenever the system settles (messages of"
        " other senders, not counted as accepted, lift the second). Bad: the first stays above: "
        "messages wait somewhere.",
    ).lines(
        "short",
        {
            "accepted by the scraper": f"sum({metrics.ACCEPTED})",
            "took effect or given up": f"sum({metrics.TOOK_EFFECT}) + sum({metrics.DEAD_LETTERED})",
        },
    )

    board.row("Latency: from first publish to the end")
    board.panel(
        "Latency",
        "Good: the mean below the line at 500 ms. Bad: p99 far above the mean: a few messages wait"
        " for retries; all three up: everything waits.",
    ).lines(
        "s",
        {
            "mean": mean(metrics.LATENCY),
            "p50": quantile(0.5, metrics.LATENCY),
            "p99": quantile(0.99, metrics.LATENCY),
        },
        limit=latency_steps(),
        width=12,
    )
    board.panel(
        "Latency, all messages",
        "How many messages took how long. Good: one warm band far below 0.5 s. Bad: a second band "
        "higher up: a part of the messages goes another, slower way.",
    ).heat("s", f"sum by (le) (increase({metrics.LATENCY}_bucket[{metrics.EVERY_S}]))", width=12)
