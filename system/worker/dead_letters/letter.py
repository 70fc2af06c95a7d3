"""Dead letters as data: why one was given up, which ones are selected, what a replay sends.

Pure. The content of a dead letter was written by others; nothing about its shape is certain.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pika

from system.contract import envelope as wire
from system.contract.submission import MESSAGE_ID_PATTERN
from system.contract.topology import ALTERNATES, RETURN_MARK, WORK_QUEUES
from system.errors import PipelineError, abbreviate
from system.worker.gate import count_header, published_at

REPLAYS_MAX = 5
"""How often one message is replayed before `force` is needed."""

# Added by the broker and by us when a message dies. A replay that kept them would look like the
# same death again, and RabbitMQ drops a message that seems to go round in a cycle.
_OF_DEATH = ("x-death", "x-first-death-", "x-last-death-", "x-delivery-count", "dead_")


class NotReplayable(PipelineError):  # noqa: N818
    """A dead letter that was replayed often enough, or whose queue is not known."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of the dead-letter queue.

    Attributes:
        message_id: of the message; empty if it has none.
        task: the name of its task; empty if it has none.
        reason: a word to filter by; see `contract.envelope.reason_of`.
        detail: what happened, in words.
        queue: where it came from, and where a replay sends it; empty if that is not known.
        died_at: None if that is not known.
        attempts: how often it was tried.
        replays: how often it was replayed from here.
        published_at: ISO 8601; when it was first published, or else its time of death.
    """

    message_id: str
    task: str
    reason: str
    detail: str
    queue: str
    died_at: datetime | None
    attempts: int
    replays: int
    published_at: str | None
    headers: Mapping[str, Any] = field(repr=False)
    content_type: str | None
    content_encoding: str | None
    body: bytes = field(repr=False)


def parse_letter(
    properties: pika.BasicProperties, body: bytes, *, exchange: str = "", key: str = ""
) -> DeadLetter:
    """Read a message of the dead-letter queue; it never fails, whatever the message holds.

    Args:
        properties: of the message.
        body: of the message.
        exchange: the exchange that it was delivered from: the sender's own, if it was unroutable.
        key: its routing key.
    """
    headers = dict(properties.headers or {})
    content = _decoded(body)
    inside = content if isinstance(content, dict) else {}  # protocol 1 has everything in its body
    death = _newest_death(headers)
    died_at = _time(headers.get(wire.DEAD_AT)) or _time(death.get("time"))
    stamped = published_at(headers, {"timestamp": properties.timestamp})
    task = _text(headers.get("task") or inside.get("task"))
    reason, detail, queue = _death(headers, death)
    if exchange in ALTERNATES:
        reason, queue = wire.reason_of(headers, exchange), wire.queue_for(task, key)
        detail = f"no queue was bound to exchange {exchange!r} for key {key!r}"
    return DeadLetter(
        message_id=_text(properties.message_id or headers.get("id") or inside.get("id")),
        task=task,
        reason=reason,
        detail=detail,
        queue=queue,
        died_at=died_at,
        attempts=count_header(headers, wire.ATTEMPT, least=1),
        replays=count_header(headers, wire.REPLAYS, least=0),
        published_at=stamped or (died_at.isoformat() if died_at else None),
        headers=headers,
        content_type=properties.content_type,
        content_encoding=properties.content_encoding,
        body=body,
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters to take: those that pass every filter; without filters, all.

    Attributes:
        reasons, tasks, ids: one of these; any, if empty.
        since: died then or later; a letter without a time of death is not taken.
    """

    reasons: frozenset[str] = frozenset()
    tasks: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    since: datetime | None = None

    @property
    def is_everything(self) -> bool:
        """Whether no filter was given."""
        return self == Selection()

    def selects(self, letter: DeadLetter) -> bool:
        """Whether `letter` passes all filters."""
        return (
            (not self.reasons or letter.reason in self.reasons)
            and (not self.tasks or letter.task in self.tasks)
            and (not self.ids or letter.message_id in self.ids)
            and (
                self.since is None or (letter.died_at is not None and letter.died_at >= self.since)
            )
        )


def moment(text: str, now: datetime) -> datetime:
    """Read `30m`, `2h` or `3d` ago, or an ISO 8601 time with its offset.

    Raises:
        ValueError: it is neither; the text says what is expected.
    """
    ago = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if ago:
        units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
        return now - timedelta(**{units[ago[2]]: int(ago[1])})
    asked = "must be like 30m, 2h or 3d, or a time with its offset like 2025-10-18T12:00:00Z"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{asked}, not {abbreviate(text)}") from None
    if at.tzinfo is None:
        raise ValueError(f"{asked}; {abbreviate(text)} has none")
    return at


def revive(letter: DeadLetter, *, force: bool, replays_max: int = REPLAYS_MAX) -> wire.Envelope:
    """The message as it was before its death, for another first attempt, under its own id.

    Args:
        letter: the dead letter.
        force: replay it however often it was replayed.
        replays_max: how often one message may be replayed without `force`.

    Raises:
        NotReplayable: says why.
    """
    if letter.queue not in WORK_QUEUES:
        raise NotReplayable(
            f"the queue it came from is no queue of work: {abbreviate(letter.queue)}"
        )
    if letter.replays >= replays_max and not force:
        raise NotReplayable(f"it was replayed {letter.replays} times already")
    known = re.match(MESSAGE_ID_PATTERN, letter.message_id)
    headers = {k: v for k, v in letter.headers.items() if not k.startswith(_OF_DEATH)}
    # Its new sender, we, wants it back if it finds no queue.
    headers |= {wire.ATTEMPT: 1, wire.REPLAYS: letter.replays + 1, **RETURN_MARK}
    # Also if it is not known: the time of the replay would make an old observation look new.
    headers[wire.PUBLISHED_AT] = letter.published_at
    return wire.Envelope(
        letter.message_id if known else wire.new_message_id(),
        letter.body,
        headers,
        letter.content_type or "application/octet-stream",
        wire.encoding_of(letter.content_type, letter.content_encoding),
    )


def _decoded(body: bytes) -> Any:
    """The body's JSON; None if it has none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _newest_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    deaths = headers.get(wire.BROKER_DEATHS)
    newest = deaths[0] if isinstance(deaths, list) and deaths else None
    return newest if isinstance(newest, dict) else {}


def _death(headers: Mapping[str, Any], death: Mapping[str, Any]) -> tuple[str, str, str]:
    """Reason, detail and queue, as our headers or those of the broker tell them."""
    known = wire.DEAD_REASON in headers or bool(death)
    return (
        wire.reason_of(headers) if known else "unknown",
        _text(headers.get(wire.DEAD_DETAIL)),
        _text(headers.get(wire.DEAD_QUEUE) or death.get("queue")),
    )


def _time(value: Any) -> datetime | None:
    """A time of our header (text) or of the broker's (a datetime without a zone, in UTC)."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=value.tzinfo or UTC)
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return at.replace(tzinfo=at.tzinfo or UTC)


def _text(value: Any) -> str:
    """Text that can be encoded; JSON may hold half a surrogate pair, which cannot."""
    text = value if isinstance(value, str) else "" if value is None else abbreviate(value)
    return text.encode("utf-8", "backslashreplace").decode()
