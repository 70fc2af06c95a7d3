"""The task for learning, `hello`: sent by hand, and observed at each stage of its life.

No code of the worker is needed to send a task: it is a message of the right format, sent to the
right exchange (`system.contract.envelope`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import redis
from celery import Celery

from lab.clients import amqp
from lab.errors import SubstrateError
from lab.experiment.lab import Lab
from lab.substrates.abilities import Controllable, Killable
from lab.substrates.plan import Role
from lab.wait import eventually
from system.contract.envelope import HELLO_TASK, Envelope, new_message_id, wrap_arguments
from system.contract.topology import LEARN_QUEUE

REDIS_WITHIN_S = 20.0
WORKER_WITHIN_S = 120.0
_KEY = "celery-task-meta-"


def message(*, name: str = "world", seconds: Any = 0.0) -> Envelope:
    """A message that asks for a greeting after `seconds` of work, and for the answer."""
    return request(HELLO_TASK, new_message_id(), name, seconds)


def request(task: str, message_id: str, *arguments: Any, wants_result: bool = True) -> Envelope:
    """A message for a task, and whether its sender wants the answer."""
    written = wrap_arguments(
        arguments, {}, message_id=message_id, published_at=datetime.now(UTC), task=task
    )
    return written.with_headers({**written.headers, "ignore_result": not wants_result})


def send(lab: Lab, count: int = 1, *, name: str = "world", seconds: Any = 0.0) -> list[str]:
    """Send `count` such messages; return their ids, once the broker has confirmed all of them."""
    written = [message(name=name, seconds=seconds) for _ in range(count)]
    amqp.publish(lab.endpoints.broker_urls["scraper"], written, key=LEARN_QUEUE)
    return [each.message_id for each in written]


def waiting(lab: Lab) -> int:
    """The number of such messages that are in the queue and not delivered."""
    with amqp.channel(lab.endpoints.broker_urls["operator"]) as on:
        return amqp.depth(on, LEARN_QUEUE)


@contextmanager
def results(lab: Lab) -> Iterator[redis.Redis]:
    """A client of the result backend."""
    with redis.Redis.from_url(
        lab.endpoints.results_url,
        socket_timeout=REDIS_WITHIN_S,
        socket_connect_timeout=REDIS_WITHIN_S,
        decode_responses=True,
    ) as client:
        yield client


def key(message_id: str) -> str:
    """The key under which Celery keeps the answer of a task in Redis."""
    return _KEY + message_id


def answer(lab: Lab, message_id: str) -> dict[str, Any] | None:
    """What Redis holds for a task: `status`, `result`, and more; None if it holds nothing."""
    with results(lab) as client:
        content = client.get(key(message_id))
    return None if content is None else dict(json.loads(str(content)))


def count_answers(lab: Lab, ids: list[str]) -> int:
    """The number of these tasks that have an answer in Redis."""
    with results(lab) as client:
        return int(client.exists(*map(key, ids)))


def wait_for(lab: Lab, ids: list[str], *, within_s: float = WORKER_WITHIN_S) -> None:
    """Wait until every one of these tasks has its answer."""
    eventually(
        f"{len(ids)} answers",
        lambda: count_answers(lab, ids) == len(ids),
        within_s=within_s,
    )


@contextmanager
def caller(lab: Lab) -> Iterator[Celery]:
    """Celery's own client, as another program would use it: broker, results, no worker code."""
    app = Celery(
        "caller",
        broker=lab.endpoints.broker_urls["admin"],
        backend=lab.endpoints.results_url,
        set_as_current=False,
    )
    app.conf.update(redis_socket_timeout=REDIS_WITHIN_S, broker_connection_timeout=REDIS_WITHIN_S)
    try:
        yield app
    finally:
        app.backend.result_consumer.stop()
        app.backend.client.close()
        app.close()


@contextmanager
def no_worker(lab: Lab) -> Iterator[None]:
    """Stop the worker in order for the block, and start it again."""
    on = killable(lab)
    on.terminate(Role.WORKER)
    try:
        yield
    finally:
        on.start(Role.WORKER)


def write_declarations(lab: Lab) -> None:
    """Make the broker write its newest queues to disk: it confirms them a moment before it has.

    Where it keeps them in Khepri instead of Mnesia (RabbitMQ 4.2), they are there already.
    """
    assert isinstance(lab.substrate, Controllable)
    lab.substrate.control_broker("eval", "catch mnesia:sync_log().")


def killable(lab: Lab) -> Killable:
    """The lab's substrate, which can end a process and bring it back.

    Raises:
        SubstrateError: it cannot.
    """
    if not isinstance(lab.substrate, Killable):
        raise SubstrateError("this substrate cannot end a process of the system on purpose")
    return lab.substrate
