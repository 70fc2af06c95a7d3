"""How much waits in the outbox, and since when: read from outside, without a lock on it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from system.contract.envelope import PUBLISHED_AT
from system.errors import Unavailable
from system.metrics.definitions import PREFIX, MetricSpec

BUSY_S = 2.0

SPECS = (
    MetricSpec(
        f"{PREFIX}outbox_messages",
        "gauge",
        {"state": ("waiting", "refused")},
        "Messages in the outbox: waiting to be sent, or refused for good and kept aside",
    ),
    MetricSpec(
        f"{PREFIX}outbox_oldest_age_seconds",
        "gauge",
        {},
        "Since when the first message in the outbox waits; 0 when none does",
    ),
)


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """What is in the outbox.

    Attributes:
        waiting, refused: messages.
        since: when the first of those that wait was put in; None if none waits.
    """

    waiting: int = 0
    refused: int = 0
    since: datetime | None = None


def read_stats(path: Path) -> OutboxStats:
    """Read the outbox's file. It may be missing: then nothing waits, and it is not created.

    Reading a write-ahead log stops no writer, and the file is closed again at once.

    Raises:
        Unavailable: it cannot be read. That is not the same as empty.
    """
    if not path.exists():
        return OutboxStats()
    try:
        address = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as database:
            database.execute("BEGIN")  # one state of it for both questions
            total, refused = database.execute(
                "SELECT count(*), count(refused) FROM outbox"
            ).fetchone()
            first = database.execute(
                "SELECT headers FROM outbox WHERE refused IS NULL ORDER BY seq LIMIT 1"
            ).fetchone()
        # A message is put into the outbox at the moment in which it is created.
        since = datetime.fromisoformat(json.loads(first[0])[PUBLISHED_AT]) if first else None
    except (sqlite3.Error, ValueError, KeyError) as error:
        raise Unavailable(f"outbox {path}: cannot be read ({error})") from error
    return OutboxStats(total - refused, refused, since)


class OutboxCollector(Collector):
    """Reads the outbox at each scrape."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterable[Metric]:
        """The metrics of `SPECS`.

        Raises:
            Unavailable: the file cannot be read; then the scrape fails as a whole.
        """
        stats = read_stats(self._path)
        messages, age = SPECS
        depth = GaugeMetricFamily(messages.name, messages.meaning, labels=list(messages.labels))
        depth.add_metric(["waiting"], stats.waiting)
        depth.add_metric(["refused"], stats.refused)
        yield depth
        waited_s = (datetime.now(UTC) - stats.since).total_seconds() if stats.since else 0.0
        yield GaugeMetricFamily(age.name, age.meaning, value=max(0.0, waited_s))
