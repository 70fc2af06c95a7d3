"""The way of a message, from the league's page to the receipt: the first board to open."""

from __future__ import annotations

from lab.monitoring.dashboards import promised, way_in, way_out
from lab.monitoring.dashboards.board import Board, BoardRow
from lab.monitoring.dashboards.panels import AMBER, GREEN, RED, Query, green_from, number, red_from
from lab.monitoring.metrics import (
    ACCEPTED,
    DEAD_LETTERS,
    FIRING,
    IN_QUEUE,
    OUTBOX,
    TOOK_EFFECT,
    rate,
)


def board() -> Board:
    """From page to receipt, in the order in which a message passes."""
    return Board(
        "overview",
        "Missing Table / The way of a message",
        "Is the pipeline healthy, and if not, at which stage of a message's way does it fail? "
        "Read from the top: the first row that looks wrong is the cause, those below are its "
        "consequences.",
        (
            _at_a_glance(),
            way_in.scraper(),
            way_in.outbox(),
            way_in.broker(),
            way_out.worker(),
            way_out.backend(),
            way_out.effects(),
            way_out.latency(),
        ),
    )


def _at_a_glance() -> BoardRow:
    return BoardRow(
        "At a glance",
        (
            number(
                "Success",
                "The share of messages of the last minutes that took effect. Good: 99.9 % or more. "
                "Bad: red, the error budget burns; see the board on objectives.",
                "percentunit",
                Query('1 - slo:sli_error:ratio_rate5m{slo="success"}'),
                steps=green_from(promised.success()),
                decimals=2,
                no_value="no traffic",
            ),
            number(
                "Mean latency",
                "From first publish to the end, failed messages included. Good: well below 500 ms. "
                "Bad: red; look where messages wait: outbox, queues, retries.",
                "s",
                Query("slo:sli_mean:seconds_rate5m"),
                steps=red_from(promised.latency_s()),
                no_value="no traffic",
            ),
            number(
                "Accepted",
                "Messages made safe, a second. Good: bursts as the scraper runs, nothing between. "
                "Bad: nothing for longer than the scraper's interval.",
                "mps",
                Query(rate(ACCEPTED)),
            ),
            number(
                "Took effect",
                "Messages whose change is in the table, a second. Good: follows what was accepted. "
                "Bad: zero while messages are ready in the broker.",
                "mps",
                Query(rate(TOOK_EFFECT)),
            ),
            number(
                "Ready in queues",
                "Messages that a worker could take this moment. Good: near zero between bursts. "
                "Bad: growing, so the workers do not keep up or do not consume.",
                "short",
                Query("sum(queue:messages_ready:sum)"),
                steps=((None, GREEN), (1000, AMBER), (5000, RED)),
            ),
            number(
                "Dead letters",
                "Messages that were given up and wait for a person. Good: zero. "
                "Bad: any; list them, repair the cause, replay them.",
                "short",
                Query(f"sum({IN_QUEUE}{{{DEAD_LETTERS}}})"),
                steps=red_from(1),
            ),
            number(
                "In the outbox",
                "Messages that the scraper could not send yet; they are safe. Good: zero. "
                "Bad: some, for longer than it takes the broker to come back.",
                "short",
                Query(f'sum({OUTBOX}{{state="waiting"}})'),
                steps=((None, GREEN), (1, AMBER)),
            ),
            number(
                "Alerts firing",
                "Without the watchdog, which always fires. Good: zero. "
                "Bad: any; each has a runbook in docs/runbooks.",
                "short",
                Query(f"count({FIRING}) or vector(0)"),
                steps=red_from(1),
            ),
        ),
    )
