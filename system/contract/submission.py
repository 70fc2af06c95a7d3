"""What is posted to `POST /api/matches`, and what comes back: outcomes and receipts."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints
from pydantic import Field as Bounded

from system.contract.observation import ObservedFrom
from system.contract.schema import shape_of

BATCH_MAX = 500
"""Messages in one request at most."""
WORKERS_BATCH = 100
"""Messages that a worker sends together at most, unless its settings say otherwise."""

BODY_BYTES_MAX = 1024 * 1024
"""Bytes of one request at most; a match is some 400 bytes, a batch of 500 some 250 KiB."""

_STAMP = "a time with its offset, like 2025-10-18T15:45:00-04:00"
MESSAGE_ID_PATTERN = r"^[A-Za-z0-9._:~-]{1,128}$"
MessageId = Annotated[str, StringConstraints(pattern=MESSAGE_ID_PATTERN)]


class Way(StrEnum):
    """How a message reached the store."""

    HTTP = "http"
    QUEUE = "queue"


class Submission(BaseModel):
    """One message for the store.

    `match` stays as it came: the store reads it by `contract.match.read`, so that one broken match
    in a batch is refused alone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    message_id: MessageId
    match: Any
    published_at: Annotated[AwareDatetime, shape_of("observed_at", _STAMP)] | None = None
    way: Way = Way.HTTP
    attempt: Annotated[int, Bounded(ge=1, le=1_000_000)] = 1


class Effect(StrEnum):
    """What a message did to the stored match.

    CREATED    the match is new
    UPDATED    something in it changed
    UNCHANGED  seen again, nothing changed
    FILLED     older than what is stored, but it says something that nothing newer says
    STALE      older than what is stored; rightly without effect
    DUPLICATE  this very message took effect before; nothing was done again
    INVALID    it breaks the contract; nothing was stored, not even a receipt
    """

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    FILLED = "filled"
    STALE = "stale"
    DUPLICATE = "duplicate"
    INVALID = "invalid"


class Outcome(BaseModel):
    """The answer for one message: its effect, and for INVALID the rules it breaks."""

    model_config = ConfigDict(frozen=True)

    message_id: str
    effect: Effect
    match_id: int | None = None
    violations: list[dict[str, str]] = []


class Receipt(BaseModel):
    """The record of an effect, written in the transaction of the change itself.

    `effect` is never DUPLICATE or INVALID. `committed_at` is taken just before the commit.
    `cursor` grows with the order in which receipts became visible; `GET /api/receipts?after=CURSOR`
    never skips one. `sent` is what the message said otherwise than the match shows: other names, a
    score that was not final yet.
    """

    model_config = ConfigDict(frozen=True)

    cursor: str
    message_id: str
    identity: str
    match_id: int
    effect: Effect
    way: Way
    attempt: int
    observed_at: datetime
    observed_from: ObservedFrom
    published_at: datetime | None
    received_at: datetime
    committed_at: datetime
    sent: dict[str, Any] | None = None
