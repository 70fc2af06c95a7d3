"""The way of a message, from the league's page to the receipt: the first board to open."""

from __future__ import annotations

from lab.monitoring import metrics
from lab.monitoring.dashboards import way_out
from lab.monitoring.dashboards.board import (
    AMBER,
    GREEN,
    RED,
    Board,
    latency_steps,
    red_from,
    success_steps,
)
from lab.monitoring.metrics import quantile, rate

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
    board.number(
        "Success",
        "percentunit",
        "The share of messages of the last minutes that took effect. Good: 99.9 % or more. Bad: "
        "red, the error budget burns; see the board on objectives.",
        '1 - slo:sli_error:ratio_rate5m{slo="success"}',
        steps=success_steps(),
        decimals=2,
        no_value="no traffic",
    )
    board.number(
        "Mean latency",
        "s",
        "From first publish to the end, failed messages included. Good: well below 500 ms. Bad: "
        "red; look where messages wait: outbox, queues, retries.",
        "slo:sli_mean:seconds_rate5m",
        steps=latency_steps(),
        no_value="no traffic",
    )
    board.number(
        "Accepted",
        "mps",
        "Messages made safe, a second. Good: bursts as the scraper runs, nothing between. Bad: "
        "nothing for longer than the scraper's interval.",
        rate(metrics.ACCEPTED),
    )
    board.number(
        "Took effect",
        "mps",
        "Messages whose change is in the table, a second. Good: follows what was accepted. Bad: "
        "zero while messages are ready in the broker.",
        rate(metrics.TOOK_EFFECT),
    )
    board.number(
        "Ready in queues",
        "short",
        "Messages that a worker could take this moment. Good: near zero between bursts. Bad: "
        "growing, so the workers do not keep up or do not consume.",
        "sum(queue:messages_ready:sum)",
        steps=((None, GREEN), (1000, AMBER), (5000, RED)),
    )
    board.number(
        "Dead letters",
        "short",
        "Messages that were given up and wait for a person. Good: zero. Bad: any; list them, "
        "repair the cause, replay them.",
        f"sum({metrics.IN_QUEUE}{{{metrics.DEAD_LETTERS}}})",
        steps=red_from(1),
    )
    board.number(
        "In the outbox",
        "short",
        "Messages that the scraper could not send yet; they are safe. Good: zero. Bad: some, for "
        "longer than it takes the broker to come back.",
        f'sum({metrics.OUTBOX}{{state="waiting"}})',
        steps=((None, GREEN), (1, AMBER)),
    )
    board.number(
        "Alerts firing",
        "short",
        "Without the watchdog, which always fires. Good: zero. Bad: any; each has a runbook in "
        "docs/runbooks.",
        f"count({metrics.FIRING}) or vector(0)",
        steps=red_from(1),
    )
    _way_in(board)
    way_out.draw(board)
    return board


def _way_in(board: Board) -> None:
    """Scraper, outbox, broker."""
    board.row("Scraper: reads the league's pages")
    board.lines(
        "Time since the last success",
        "s",
        "Good: a saw whose teeth end below the interval at which the scraper should run. Bad: "
        "above it, no page was read and made safe; above twice, an alert fires.",
        {
            "since the last success": f"time() - ({_LAST_SUCCESS} > 0)",
            "interval": "missing_table_scraper_interval_seconds",
        },
    )
    board.lines(
        "Rows of pages",
        "ops",
        "Good: almost all are read. Bad: many refused, so the league changed its pages; or many "
        "repeated, so its pages overlap.",
        {"{{outcome}}": rate("missing_table_scraper_rows_total", "outcome")},
        stacked=True,
    )
    board.lines(
        "Runs by result",
        "short",
        "How the scraper's runs ended so far. Good: only complete ones grow. Bad: failed, no page "
        "could be read; undelivered, matches wait in the outbox.",
        {"{{result}}": "sum by (result) (missing_table_scraper_runs_total)"},
    )

    board.row("Outbox: keeps what could not be sent")
    board.lines(
        "Messages in the outbox",
        "short",
        "Good: zero. Bad: waiting ones that stay when the broker is back; refused ones, which wait"
        " for a person.",
        {"{{state}}": f"sum by (state) ({metrics.OUTBOX})"},
    )
    board.lines(
        "Oldest message in the outbox",
        "s",
        "Good: zero. Bad: a line that climbs for longer than two intervals of the scraper: it does"
        " not run, or the broker is still unavailable.",
        {"oldest": f"max({metrics.OUTBOX_AGE})"},
    )
    board.lines(
        "Accepted and drained, by way",
        "mps",
        "Where messages were made safe at first, and how they left the outbox later. Good: all by "
        "queue. Bad: http or outbox, the broker did not accept them.",
        {
            "accepted: {{way}}": rate(metrics.ACCEPTED, "way"),
            "drained: {{way}}": rate("missing_table_drained_total", "way"),
        },
    )

    board.row("Broker: holds messages until a worker takes them")
    board.lines(
        "Published, by the broker's answer",
        "mps",
        "Good: all confirmed. Bad: returned, no queue is bound; nacked, the broker refused; "
        "unknown, it never answered and may have them.",
        {"{{outcome}}": rate("missing_table_published_total", "outcome")},
    )
    board.lines(
        "Ready and in hand",
        "short",
        "Good: ready falls to zero after each burst. Bad: ready grows; or messages stay in hand "
        "(unacked) while nothing is processed: a worker is stuck.",
        {
            "{{queue}} ready": f"sum by (queue) ({metrics.READY}{{{metrics.WORK_QUEUES}}})",
            "{{queue}} in hand": f"sum by (queue) ({metrics.UNACKED}{{{metrics.WORK_QUEUES}}})",
        },
    )
    board.lines(
        "Waiting for a retry",
        "short",
        "Good: zero. Bad: messages climb to queues of longer waits: what they need (database, API)"
        " is still unavailable. They come back by themselves.",
        {"{{queue}}": f"sum by (queue) ({metrics.IN_QUEUE}{{{metrics.RETRY_QUEUES}}})"},
        stacked=True,
    )
    board.lines(
        "Time to a confirm",
        "s",
        "From sending a message to its confirm, 99 of 100. Good: some milliseconds. Bad: climbs, "
        "the broker's disk is slow or an alarm blocks publishers.",
        {"p99 {{publisher}}": quantile(0.99, "missing_table_publish_seconds", "publisher")},
        width=12,
    )
    board.lines(
        "On their way to the broker",
        "short",
        "Sent and not answered yet. Good: near zero. Bad: stays up, no confirms come.",
        {"{{publisher}}": "sum by (publisher) (missing_table_publisher_unconfirmed)"},
        width=12,
    )
