"""Compares two counts of one run: the ledger's, and those of the system's own metrics.

The ledger reads journals, receipts and dead letters; Prometheus reads counters that the processes
kept. They have no source in common, so if they agree, both are right.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData
from lab.errors import NotWithin
from lab.history.ledger import Ledger
from lab.monitoring import metrics
from lab.wait import eventually

SEEN_WITHIN_S = 30.0

EFFECTS = f"sum({metrics.TOOK_EFFECT})"
DEAD_LETTERED = f"sum({metrics.DEAD_LETTERED})"
ACCEPTED = f"sum({metrics.ACCEPTED})"
_ALL_THERE = "min(min_over_time(up[10s]))"
"""1 if no scrape has failed for longer than it takes to ask for the counts."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One number from both sources.

    Attributes:
        what: which messages.
        ledger: what the ledger counted, one by one.
        prometheus: what the counters say.
    """

    what: str
    ledger: int
    prometheus: float

    @property
    def agrees(self) -> bool:
        """Whether both are exactly the same."""
        return self.ledger == self.prometheus

    def __str__(self) -> str:
        return f"{self.what}: {self.ledger:,} and {self.prometheus:,.0f}"


def wait_until_seen(prometheus: Prometheus) -> None:
    """Wait until everything that is scraped was scraped after this moment.

    Raises:
        NotWithin: Prometheus, or one of its targets, has nothing new.
    """
    now = time.time()
    eventually(
        "Prometheus to scrape everything once more",
        lambda: prometheus.value("min(timestamp(up))") > now,
        within_s=SEEN_WITHIN_S,
        every_s=0.1,
        tolerate=(NoData,),
    )


def compare(ledger: Ledger, prometheus: Prometheus) -> list[Comparison]:
    """Query Prometheus for the ledger's own counts. Let the run settle first.

    Raises:
        NoData: Prometheus does not know one of them.
        NotWithin: it has nothing new.
    """
    wait_until_seen(prometheus)
    last: list[Comparison] = []

    def look() -> list[Comparison]:
        nonlocal last
        last = [
            Comparison("accepted by the scraper", len(ledger.scraped), prometheus.value(ACCEPTED)),
            Comparison("took effect", len(ledger.effects), prometheus.value(EFFECTS)),
            Comparison("dead-lettered", len(ledger.dead), prometheus.value(DEAD_LETTERED)),
        ]
        if all(each.agrees for each in last) or prometheus.value(_ALL_THERE) == 1:
            return last
        return []

    try:
        # On a busy machine a scrape is late now and then, and its series are gone until the next:
        # all of them, or those of one process among several, whose sum is then too low.
        return eventually(
            "Prometheus to have every count",
            look,
            within_s=SEEN_WITHIN_S,
            every_s=0.25,
            tolerate=(NoData,),
        )
    except NotWithin as error:
        if error.__cause__ is not None:
            raise error.__cause__ from None
        return last  # something was down all the while; this is what the others count
