"""The same messages in the form that each library publishes, made by its own code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from system.contract.envelope import PUBLISHED_AT, Envelope

DRAMATIQ_QUEUE, TASKIQ_QUEUE, FASTSTREAM_QUEUE = (
    f"bench-{name}" for name in ("dramatiq", "taskiq", "faststream")
)
TASK = "process"
"""The name of the actor or task."""
Wire = Callable[[Iterable[Envelope]], Iterator[Envelope]]


def as_json(messages: Iterable[Envelope]) -> Iterator[Envelope]:
    """A JSON object: FastStream takes any body, and so does a consumer without a library."""
    for each in messages:
        yield Envelope(each.message_id, json.dumps(arguments(each)).encode(), {})


def as_dramatiq(messages: Iterable[Envelope]) -> Iterator[Envelope]:
    """Dramatiq's message, by its own encoder."""
    import dramatiq

    for each in messages:
        message: Any = dramatiq.Message(
            queue_name=DRAMATIQ_QUEUE,
            actor_name=TASK,
            args=(),
            kwargs=arguments(each),
            options={},
            message_id=each.message_id,
        )
        yield Envelope(each.message_id, message.encode(), {})


def as_taskiq(messages: Iterable[Envelope]) -> Iterator[Envelope]:
    """Taskiq's message, by its own formatter."""
    from taskiq import InMemoryBroker, TaskiqMessage

    formatter: Any = InMemoryBroker().formatter
    for each in messages:
        message = TaskiqMessage(
            task_id=each.message_id, task_name=TASK, labels={}, args=[], kwargs=arguments(each)
        )
        headers = {"task_id": each.message_id, "task_name": TASK}
        yield Envelope(each.message_id, formatter.dumps(message).message, headers)


def arguments(message: Envelope) -> dict[str, Any]:
    """What a worker is called with."""
    return {
        "message_id": message.message_id,
        "published_at": message.headers[PUBLISHED_AT],
        "match": message.arguments[0],
    }
