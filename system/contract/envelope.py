"""How a match travels: a Celery protocol 2 message, written by hand.

Publishers never import worker code; they need this module only. The format is Celery's message
protocol, version 2 (docs.celeryq.dev, "Message Protocol"). `message_id` is the task id, and stays
the same over every resend, retry and replay: the store's receipt is kept under it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from system.contract import match as contract
from system.contract import schema
from system.contract.match import Match
from system.contract.reasons import UNROUTABLE
from system.contract.topology import (
    ALTERNATES,
    LEARN_QUEUE,
    PROCESS_QUEUE,
    RETURN_MARK,
    VALIDATE_QUEUE,
    WORK_QUEUES,
)

PROCESS_TASK = "process_match_data"
VALIDATE_TASK = "validate_match_data"
HELLO_TASK = "hello"

LEGACY_TASKS = {
    "celery_tasks.match_tasks.process_match_data": PROCESS_TASK,
    "celery_tasks.validation_tasks.validate_match_data": VALIDATE_TASK,
}
"""Names that the senders of the earlier system put in their messages → names of this one."""

QUEUES_OF_TASKS = {
    PROCESS_TASK: PROCESS_QUEUE,
    VALIDATE_TASK: VALIDATE_QUEUE,
    HELLO_TASK: LEARN_QUEUE,
}
"""Task → the only queue that it is taken from, so that none holds up another's messages."""

PUBLISHED_AT = "published_at"
ATTEMPT = "attempt"
REPLAYS = "replays"  # how often it was sent again from the dead letters
CONTRACT = "contract_version"

BODY_BYTES_MAX = 64 * 1024
"""A larger body is dead-lettered unread; a match is some 400 bytes."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message ready for the wire.

    Attributes:
        message_id: also the task id.
        body: JSON bytes, `[[match], {}, {callbacks…}]`.
        headers: Celery's and ours: when it was published, which attempt it is, which contract.
    """

    message_id: str
    body: bytes
    headers: Mapping[str, Any]
    content_type: str = "application/json"
    content_encoding: str = "utf-8"

    @property
    def published_at(self) -> datetime:
        """When the sender published it for the first time; latency counts from here."""
        return datetime.fromisoformat(self.headers[PUBLISHED_AT])

    @property
    def attempt(self) -> int:
        """Which attempt to apply it comes next, from 1."""
        return int(self.headers[ATTEMPT])

    @property
    def arguments(self) -> list[Any]:
        """The positional arguments of the task, decoded: for a match, just the match."""
        return list(json.loads(self.body)[0])

    def for_attempt(self, attempt: int) -> Envelope:
        """The same message, for a later attempt."""
        return self.with_headers({**self.headers, ATTEMPT: attempt})

    def with_headers(self, headers: Mapping[str, Any]) -> Envelope:
        """The same message with other headers."""
        return replace(self, headers=headers)


def new_message_id() -> str:
    """Return a fresh message id."""
    return str(uuid.uuid4())


def wrap(
    match: Match,
    *,
    message_id: str,
    published_at: datetime,
) -> Envelope:
    """Put a match into its envelope, for the first attempt."""
    return wrap_arguments(
        [contract.dump(match)], {}, message_id=message_id, published_at=published_at
    )


def wrap_arguments(
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    message_id: str,
    published_at: datetime,
    task: str = PROCESS_TASK,
    attempt: int = 1,
) -> Envelope:
    """Put the arguments of any task into an envelope, unchecked: a retry passes on what arrived."""
    options = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    body = json.dumps([list(args), dict(kwargs), options], separators=(",", ":")).encode()
    return Envelope(message_id, body, _headers(task, message_id, published_at, attempt))


def _headers(task: str, message_id: str, published_at: datetime, attempt: int) -> dict[str, Any]:
    return {
        "lang": "py",
        "task": task,
        "id": message_id,
        "root_id": message_id,
        "parent_id": None,
        "group": None,
        **RETURN_MARK,
        "ignore_result": True,
        PUBLISHED_AT: published_at.astimezone(UTC).isoformat(timespec="microseconds"),
        ATTEMPT: attempt,
        CONTRACT: schema.VERSION,
    }


# A dead letter is the original message with these headers added; they are for people first.

DEAD_REASON = "dead_reason"  # invalid | unreadable | unknown-task | refused | exhausted | …
DEAD_DETAIL = "dead_detail"  # what exactly, in words
DEAD_WHERE = "dead_where"  # the worker that gave it up
DEAD_AT = "dead_at"  # when, ISO 8601 in UTC
DEAD_QUEUE = "dead_queue"  # the queue it came from, where a replay sends it
DETAIL_MAX = 2000

# Added by the broker to what it dead-letters itself (delivery limit, expiry, rejection).
BROKER_DEATHS = "x-death"


def dead_headers(
    headers: Mapping[str, Any], *, reason: str, detail: str, where: str, queue: str, at: datetime
) -> dict[str, Any]:
    """Return `headers` with the headers of a dead letter added."""
    return {
        **headers,
        DEAD_REASON: reason,
        DEAD_DETAIL: detail[:DETAIL_MAX],
        DEAD_WHERE: where,
        DEAD_QUEUE: queue,
        DEAD_AT: at.astimezone(UTC).isoformat(timespec="milliseconds"),
    }


def encoding_of(content_type: str | None, encoding: str | None) -> str:
    """The content encoding to send a message on with: JSON without one was read as UTF-8."""
    return encoding or ("utf-8" if content_type == "application/json" else "binary")


def reason_of(headers: Mapping[str, Any], exchange: str = "") -> str:
    """Why a dead letter died: our reason, else the broker's newest one, else "unknown".

    Args:
        headers: of the dead letter.
        exchange: the one it was delivered from. What was dead-lettered comes from the exchange of
            dead letters; what found no queue, from the one that its sender chose.
    """
    if exchange in ALTERNATES:
        return UNROUTABLE
    if DEAD_REASON in headers:
        return str(headers[DEAD_REASON])
    deaths = headers.get(BROKER_DEATHS)
    return str(deaths[0].get("reason", "unknown")) if deaths else "unknown"


def queue_for(task: str, key: str) -> str:
    """The queue that an unroutable message was for: by its key, else by its task, else ""."""
    return key if key in WORK_QUEUES else QUEUES_OF_TASKS.get(LEGACY_TASKS.get(task, task), "")
