"""dramatiq: an actor in threads, a psycopg pool of as many connections as a process has threads."""

from __future__ import annotations

import os
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from psycopg_pool import ConnectionPool

from load.bench.compare import work
from load.bench.compare.wire import DRAMATIQ_QUEUE


class QuorumBroker(RabbitmqBroker):
    """dramatiq declares classic queues and has no setting for that; its users override this."""

    def _build_queue_arguments(self, queue_name: str) -> Any:
        return {**super()._build_queue_arguments(queue_name), "x-queue-type": "quorum"}


broker = QuorumBroker(url=os.environ["BENCH_BROKER_URL"], confirm_delivery=True)
dramatiq.set_broker(broker)
_THREADS = int(os.environ["BENCH_CONCURRENCY"])
_POOL = ConnectionPool(
    os.environ["BENCH_DATABASE_URL"], min_size=_THREADS, max_size=_THREADS, open=False
)
_RECEIPT, _MATCH = work.receipt_statement(numbered=False), work.match_statement(numbered=False)


class Pool(dramatiq.Middleware):
    """Opens the pool in each process, after the fork."""

    def after_process_boot(self, broker: Any) -> None:
        """Called by dramatiq."""
        _POOL.open(wait=True)


broker.add_middleware(Pool())


@dramatiq.actor(queue_name=DRAMATIQ_QUEUE)
def process(message_id: str, published_at: str, match: dict[str, Any]) -> None:
    """Apply one message; dramatiq acknowledges it after that."""
    with _POOL.connection() as connection:
        receipt = work.receipt_row(message_id, published_at, match)
        if connection.execute(_RECEIPT, receipt).rowcount:
            connection.execute(_MATCH, work.match_row(message_id, match))
