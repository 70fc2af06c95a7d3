"""taskiq by taskiq-aio-pika: an asyncio task and a pool of asyncpg in each process."""

from __future__ import annotations

import os
from typing import Any

from taskiq import TaskiqEvents, TaskiqState
from taskiq_aio_pika import AioPikaBroker, Exchange, Queue, QueueType

from load.bench.compare.apps import applying
from load.bench.compare.wire import TASK, TASKIQ_QUEUE

broker = AioPikaBroker(
    os.environ["BENCH_BROKER_URL"],
    qos=int(os.environ["BENCH_CONCURRENCY"]),
    exchange=Exchange(name=TASKIQ_QUEUE),
    dead_letter_queue=Queue(name=f"{TASKIQ_QUEUE}.dead", type=QueueType.QUORUM),
    delay_queue=Queue(name=f"{TASKIQ_QUEUE}.delay", type=QueueType.QUORUM),
).with_queue(Queue(name=TASKIQ_QUEUE, type=QueueType.QUORUM))


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def start(state: TaskiqState) -> None:
    """Open the pool."""
    state.pool = await applying.open_pool()


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def stop(state: TaskiqState) -> None:
    """Close it."""
    await state.pool.close()


@broker.task(TASK)
async def process(message_id: str, published_at: str, match: dict[str, Any]) -> None:
    """Apply one message; taskiq acknowledges it after that (`--ack-type when_executed`)."""
    await applying.apply(broker.state.pool, message_id, published_at, match)
