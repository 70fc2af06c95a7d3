"""FastStream: a subscriber and a pool of asyncpg in each process.

As many messages are worked on at once as are prefetched.
"""

from __future__ import annotations

import os
from typing import Any

from faststream import AckPolicy, ContextRepo, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

from load.bench.compare.apps import applying
from load.bench.compare.wire import FASTSTREAM_QUEUE

_CONCURRENCY = int(os.environ["BENCH_CONCURRENCY"])
broker = RabbitBroker(
    os.environ["BENCH_BROKER_URL"], default_channel=Channel(prefetch_count=_CONCURRENCY)
)
app = FastStream(broker)
_pools: list[Any] = []


@app.on_startup
async def start(context: ContextRepo) -> None:
    """Open the pool."""
    _pools.append(await applying.open_pool())


@app.after_shutdown
async def stop() -> None:
    """Close it."""
    await _pools.pop().close()


@broker.subscriber(
    RabbitQueue(FASTSTREAM_QUEUE, queue_type=QueueType.QUORUM, durable=True),
    ack_policy=AckPolicy.NACK_ON_ERROR,
)
async def process(message_id: str, published_at: str, match: dict[str, Any]) -> None:
    """Apply one message; FastStream acknowledges it after that."""
    await applying.apply(_pools[0], message_id, published_at, match)
