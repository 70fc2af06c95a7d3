"""How much waits in the outbox, and since when: looked at from outside, without a lock on it."""

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
from system.metrics.making import PREFIX, Made

BUSY_S = 2.0

MADE = (
    Made(
        f"{PREFIX}outbox_messages",
        "gauge",
        {"state": ("waiting", "refused")},
        "Messages in the outbox: waiting to be sent, or refused for good and kept aside",
    ),
    Made(
        f"{PREFIX}outbox_oldest_age_seconds",
        "gauge",
        {},
        "Since when the first message in the outbox waits; 0 when none does",
    ),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is in the outbox.

    Attributes:
        waiting, refused: messages.
        since: when the first of those that wait was put in; None where none does.
    """

    waiting: int = 0
    refused: int = 0
    since: datetime | None = None


def look(path: Path) -> Standing:
    """Read the outbox's file. It need not be there: then nothing waits, and it is not made.

    Reading a write-ahead log stops no writer, and the file is closed again at once.

    Raises:
        Unavailable: it cannot be read. That is not the same as empty.
    """
    if not path.exists():
        return Standing()
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
        # A message is put into the outbox in the moment in which it is made.
        since = datetime.fromisoformat(json.loads(first[0])[PUBLISHED_AT]) if first else None
    except (sqlite3.Error, ValueError, KeyError) as error:
        raise Unavailable(f"outbox {path}: cannot be read ({error})") from error
    return Standing(total - refused, refused, since)


class OutboxCollector(Collector):
    """Looks at the outbox at each scrape."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterable[Metric]:
        """The metrics of `MADE`.

        Raises:
            Unavailable: the file cannot be read; then the scrape fails as a whole.
        """
        standing = look(self._path)
        messages, age = MADE
        depth = GaugeMetricFamily(messages.name, messages.meaning, labels=list(messages.labels))
        depth.add_metric(["waiting"], standing.waiting)
        depth.add_metric(["refused"], standing.refused)
        yield depth
        waited_s = (datetime.now(UTC) - standing.since).total_seconds() if standing.since else 0.0
        yield GaugeMetricFamily(age.name, age.meaning, value=max(0.0, waited_s))
