"""A backlog for a measurement: published, and waited for until it is in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import psycopg

from lab.wait import eventually
from lab.workload.publisher import LoadPublisher
from load.bench.messages import observations
from system.contract.envelope import Envelope
from system.contract.topology import EXCHANGE, PROCESS_QUEUE

DRAIN_WITHIN_S, CONFIRM_WITHIN_S = 240.0, 60.0
WARM_UP = 200
"""Messages before those that count: connections are made, statements prepared."""
RECEIPTS = "receipts"


def publish(url: str, count: int, per_match: int, seed: int) -> None:
    """Publish so many observations to the pipeline, as fast as they are confirmed."""
    publish_all(url, EXCHANGE, PROCESS_QUEUE, observations(count, per_match=per_match, seed=seed))


def publish_all(
    url: str,
    exchange: str,
    key: str,
    messages: Iterable[Envelope],
    confirmed: Callable[[Envelope], None] = lambda _: None,
) -> None:
    """Publish messages, persistent and confirmed, as fast as they are confirmed.

    One that finds no queue yet is sent again until it does.
    """
    publisher = LoadPublisher(url, exchange, key, confirmed)
    publisher.queue.extend(messages)

    def look() -> bool:
        publisher.work(0.02)
        return not publisher.pending

    eventually("every message to be confirmed", look, within_s=CONFIRM_WITHIN_S, every_s=0)
    publisher.close()


def wait_for_receipts(
    database_url: str, count: int, *, table: str = RECEIPTS, within_s: float = DRAIN_WITHIN_S
) -> None:
    """Wait until there are so many receipts in all.

    Raises:
        NotWithin: there are fewer after `within_s`.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:

        def look() -> bool:
            # Only names of this package come here.
            row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608
            return row is not None and row[0] >= count

        eventually(f"{count} receipts", look, within_s=within_s, every_s=0.1)
