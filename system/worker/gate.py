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

from pydantic_core import from_json

from system.contract.envelope import (
    ATTEMPT,
    BODY_BYTES_MAX,
    CONTRACT,
    LEGACY_TASKS,
    PROCESS_TASK,
    PUBLISHED_AT,
    QUEUES_OF_TASKS,
    REPLAYS,
)
from system.contract.reasons import Reason
from system.contract.submission import MESSAGE_ID_PATTERN
from system.errors import PipelineError, abbreviate

CONTRACT_CHARS_MAX = 20
NESTING_MAX = 100
"""A match nests three deep. At several hundred, what is read can no longer be written or handed to
a pool child."""
SHORT_BYTES_MAX = 255
"""Of a short string of AMQP."""
_TASK_ID = re.compile(MESSAGE_ID_PATTERN)


class Unreadable(PipelineError):  # noqa: N818
    """A delivery that no task can read. `reason` is a word to filter by."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class RawDelivery:
    """A delivery as it came from the broker, undecoded.

    Attributes:
        queue: the one that it was taken from; "" if that is not known.
        key: its routing key, which its sender chose.
    """

    body: bytes
    content_type: str | None
    content_encoding: str | None
    headers: Mapping[str, Any]
    properties: Mapping[str, Any]
    queue: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A clean protocol 2 message for Celery: its headers, and the arguments of its task."""

    headers: dict[str, Any]
    args: list[Any]
    kwargs: dict[str, Any]

    @property
    def body(self) -> str:
        """Its JSON body."""
        embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
        return json.dumps([self.args, self.kwargs, embed], ensure_ascii=True)

    def put_into(self, message: Any) -> None:
        """Make a message of kombu's this one."""
        message.headers, message.body = self.headers, self.body
        message.content_encoding = "utf-8"
        message._decoded_cache = None  # noqa: SLF001 - kombu decodes once; we change the body


def admit(delivery: RawDelivery, known_tasks: frozenset[str] | set[str]) -> Admitted:
    """Admit a delivery.

    Raises:
        Unreadable: it is too large, no JSON, no Celery message, for an unknown task, or for a task
            that belongs to another queue.
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
    if delivery.queue and QUEUES_OF_TASKS.get(task, delivery.queue) != delivery.queue:
        raise Unreadable(
            Reason.UNKNOWN_TASK,
            f"{task} is taken from {QUEUES_OF_TASKS[task]} only; this came by {delivery.queue}",
        )
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
    return Admitted(headers, args, kwargs)


def own_id(delivery: RawDelivery) -> str | None:
    """The id under which its sender knows a message, admitted or not; None if it has none.

    Any text that AMQP can carry as an id. Version 1 of the protocol has it in the body only.
    """
    given = [
        delivery.properties.get("message_id"),
        delivery.headers.get("id"),
        _id_in(delivery.body),
        delivery.properties.get("correlation_id"),
    ]
    return next((each for each in given if _is_short(each)), None)


def _id_in(body: bytes) -> Any:
    if len(body) > BODY_BYTES_MAX:
        return None
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return content.get("id") if isinstance(content, dict) else None


def _is_short(value: Any) -> bool:
    """Whether AMQP could carry it as a short string."""
    try:
        return isinstance(value, str) and 0 < len(value.encode()) <= SHORT_BYTES_MAX
    except UnicodeEncodeError:  # half a surrogate pair, from JSON
        return False


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
        content = read(delivery.body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(
            Reason.UNREADABLE, f"not JSON: {error}; begins with {abbreviate(delivery.body[:60])}"
        ) from None
    if delivery.body.count(b"[") + delivery.body.count(b"{") > NESTING_MAX and _is_deep(content):
        raise Unreadable(Reason.UNREADABLE, f"nested more than {NESTING_MAX} deep")
    return content


def _is_deep(content: Any) -> bool:
    """Whether lists and objects are nested more than NESTING_MAX deep."""
    level = [content]
    for _ in range(NESTING_MAX + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(each, list | dict) for each in level)


def read(body: bytes) -> Any:
    """JSON without NaN and the like.

    Raises:
        ValueError: it is none.
        RecursionError: it is nested too deeply.
    """
    try:
        return from_json(body, allow_inf_nan=False)  # takes less than half the time
    except ValueError:  # also for half a surrogate pair, and its words are for others
        return _JSON.decode(body.decode("utf-8"))


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


_JSON = json.JSONDecoder(parse_constant=_no_constant)


def _protocol_2(headers: Mapping[str, Any], content: Any) -> tuple[Any, Any, Any, Any]:
    if not isinstance(content, list) or len(content) != 3:
        raise Unreadable(Reason.UNREADABLE, "the body must be [args, kwargs, options]")
    return headers["task"], headers.get("id"), content[0], content[1]


def _protocol_1(content: Any) -> tuple[Any, Any, Any, Any]:
    if not isinstance(content, dict) or "task" not in content:
        raise Unreadable(Reason.UNREADABLE, "neither a header nor a body that names a task")
    return content["task"], content.get("id"), content.get("args", []), content.get("kwargs", {})


def published_at(headers: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    """The sender's publish time: our header, else the AMQP timestamp, else None.

    An empty header says that it is not known: the timestamp is then that of a replay.
    """
    header = headers.get(PUBLISHED_AT, "")
    if header is None:
        return None
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
