"""The gate: decides, before Celery sees a delivery, whether it can be read at all.

Celery itself stops on some malformed messages, loses others, and keeps messages with a far `eta` in
its memory. So every delivery passes this pure function first. What it admits becomes a clean
protocol 2 message without the sender's `eta`, `expires`, time limits or callbacks. For the rest it
raises Unreadable, and the worker dead-letters the message with the reason.

Both message protocols of Celery are read: version 1 (everything in the body, as the senders of the
earlier system write it) and version 2 (headers).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from system.contract.envelope import (
    ATTEMPT,
    BODY_BYTES_MAX,
    CONTRACT,
    LEGACY_TASKS,
    PROCESS_TASK,
    PUBLISHED_AT,
    REPLAYS,
)
from system.contract.reasons import Reason
from system.contract.submission import MESSAGE_ID_PATTERN
from system.errors import PipelineError, abbreviate

CONTRACT_CHARS_MAX = 20
_TASK_ID = re.compile(MESSAGE_ID_PATTERN)


class Unreadable(PipelineError):  # noqa: N818
    """A delivery that no task can read. `reason` is a word to filter by."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class RawDelivery:
    """A delivery as it came from the broker, undecoded."""

    body: bytes
    content_type: str | None
    content_encoding: str | None
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Admitted:
    """A clean protocol 2 message for Celery: its headers and its JSON body."""

    headers: dict[str, Any]
    body: str


def admit(delivery: RawDelivery, known_tasks: frozenset[str] | set[str]) -> Admitted:
    """Admit a delivery.

    Raises:
        Unreadable: it is too large, no JSON, no Celery message, or for an unknown task.
    """
    content = _decoded(delivery)
    if "task" in delivery.headers:
        task, task_id, args, kwargs = _protocol_2(delivery.headers, content)
    else:
        task, task_id, args, kwargs = _protocol_1(content)
    if not isinstance(task, str):
        raise Unreadable(Reason.UNREADABLE, f"the task's name must be text, not {abbreviate(task)}")
    task = LEGACY_TASKS.get(task, task)
    if task not in known_tasks:
        raise Unreadable(Reason.UNKNOWN_TASK, f"no task is called {abbreviate(task)} here")
    if not isinstance(task_id, str) or not _TASK_ID.match(task_id):
        raise Unreadable(
            Reason.UNREADABLE,
            f"the id must be 1 to 128 letters, digits and ._:~-, not {abbreviate(task_id)}",
        )
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise Unreadable(Reason.UNREADABLE, "args must be a list and kwargs an object")
    headers = {
        "lang": "py",
        "task": task,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "retries": 0,
        "eta": None,
        "expires": None,
        "timelimit": [None, None],
        "argsrepr": "(…)",
        "kwargsrepr": "{…}",
        # A match has no result, whatever its sender asks for: a match must not need Redis.
        "ignore_result": task == PROCESS_TASK or bool(delivery.headers.get("ignore_result")),
        PUBLISHED_AT: published_at(delivery.headers, delivery.properties),
        ATTEMPT: count_header(delivery.headers, ATTEMPT, least=1),
        REPLAYS: count_header(delivery.headers, REPLAYS, least=0),
        CONTRACT: _contract(delivery.headers),
    }
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    return Admitted(headers, json.dumps([args, kwargs, embed], ensure_ascii=True))


def _contract(headers: Mapping[str, Any]) -> str | None:
    """The version of the contract that the sender names, for a person who looks later."""
    version = headers.get(CONTRACT)
    return version[:CONTRACT_CHARS_MAX] if isinstance(version, str) else None


def _decoded(delivery: RawDelivery) -> Any:
    if len(delivery.body) > BODY_BYTES_MAX:
        raise Unreadable(
            Reason.UNREADABLE, f"{len(delivery.body)} bytes; at most {BODY_BYTES_MAX} are allowed"
        )
    if delivery.content_type != "application/json":
        raise Unreadable(
            Reason.UNREADABLE,
            f"content type must be application/json, not {abbreviate(delivery.content_type)}",
        )
    encoding = (delivery.content_encoding or "utf-8").lower()
    if encoding not in ("utf-8", "utf8", "us-ascii", "ascii"):
        raise Unreadable(
            Reason.UNREADABLE, f"content encoding must be utf-8, not {abbreviate(encoding)}"
        )
    try:
        return json.loads(delivery.body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            Reason.UNREADABLE, f"not JSON: {error}; begins with {abbreviate(delivery.body[:60])}"
        ) from None


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _protocol_2(headers: Mapping[str, Any], content: Any) -> tuple[Any, Any, Any, Any]:
    if not isinstance(content, list) or len(content) != 3:
        raise Unreadable(Reason.UNREADABLE, "the body must be [args, kwargs, options]")
    return headers["task"], headers.get("id"), content[0], content[1]


def _protocol_1(content: Any) -> tuple[Any, Any, Any, Any]:
    if not isinstance(content, dict) or "task" not in content:
        raise Unreadable(Reason.UNREADABLE, "neither a header nor a body that names a task")
    return content["task"], content.get("id"), content.get("args", []), content.get("kwargs", {})


def published_at(headers: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    """The sender's publish time: our header, else the AMQP timestamp, else None."""
    header = headers.get(PUBLISHED_AT)
    if isinstance(header, str):
        try:
            at = datetime.fromisoformat(header)
            if at.tzinfo is not None:
                return at.astimezone(UTC).isoformat()
        except (ValueError, OverflowError):  # no time, or one before the year 1 in UTC
            pass
    stamp = properties.get("timestamp")
    if isinstance(stamp, datetime):
        return stamp.replace(tzinfo=stamp.tzinfo or UTC).astimezone(UTC).isoformat()
    if isinstance(stamp, int) and not isinstance(stamp, bool) and 0 < stamp < 32503680000:
        return datetime.fromtimestamp(stamp, UTC).isoformat()
    return None


def count_header(headers: Mapping[str, Any], name: str, *, least: int) -> int:
    """Read a header that counts; anything but a number from `least` to a million gives `least`."""
    number = headers.get(name)
    if not isinstance(number, int) or isinstance(number, bool):
        return least
    return number if least <= number <= 1_000_000 else least
