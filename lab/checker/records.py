"""What a history says, as records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from lab.checker.verdict import Verdict
from system.contract.submission import Effect


class Attempt(NamedTuple):
    """A message that was tried. `valid`: it must take effect; else it must be dead-lettered."""

    published_at: datetime
    valid: bool


class Receipt(NamedTuple):
    """An effect in the store, as far as the laws concern it.

    Receipts of one transaction share `received_at`: it is when their request came in.
    """

    message_id: str
    identity: str
    match_id: int
    effect: Effect
    observed_at: datetime
    received_at: datetime
    committed_at: datetime

    @property
    def age(self) -> tuple[datetime, str]:
        """Which of two observations is newer."""
        return self.observed_at, self.message_id


class Death(NamedTuple):
    """A dead letter and its story; or a message that the API refused, kept aside in the outbox.

    The outbox has no time for that, so `died_at` is then when it was seen there.
    """

    message_id: str
    reason: str
    detail: str
    where: str
    died_at: datetime
    queue: str


class Refusal(NamedTuple):
    """A row of a page that could not be read as a match."""

    page: str
    row: str
    reason: str
    excerpt: str


class Check(NamedTuple):
    """A check made elsewhere that enters the verdict; `law` is None if it is about none."""

    name: str
    verdict: Verdict
    detail: str
    law: int | None


class Depth(NamedTuple):
    """How many messages were ready in a queue at a moment."""

    at: datetime
    queue: str
    ready: float


@dataclass(slots=True)
class Fault:
    """A time during which something was broken on purpose; `to` is None while it lasts."""

    name: str
    begun: datetime
    to: datetime | None = None


class Settled(NamedTuple):
    """How settling went: what was still waiting, and what was seen last."""

    ok: bool
    seconds: float
    waiting: str
    detail: str
