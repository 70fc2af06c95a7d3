"""Load: observations of matches, published as they are due, whatever the system does.

The loop is open: the time at which each message is due is drawn beforehand, so a slow system gets
the same load, and latency counts from the time when a message was due. Each attempt is recorded
before it is made, and is repeated under the same id until it is accepted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from lab.errors import LabError, NotWithin
from lab.history.ledger import Ledger
from lab.wait import eventually
from lab.workload import profiles
from lab.workload.observations import Message, attempt_of, messages
from lab.workload.queue_sender import QueueSender
from system.contract.match import Match

BACKLOG_MAX = 20_000
"""With so many messages that are not accepted, no more are attempted until some are."""
FLUSH_S = 90.0
"""How long after its block a load goes on to send what it has attempted."""
LATE_TOGETHER = 20
"""Of messages that are late, so many are handed over before the sender looks for confirms."""
AHEAD_MAX = 5_000
"""So many messages are made before they are due, while nothing else is: who makes a burst when it
is due, sends it that much later."""
SPARE_S = 0.05
"""How long nothing may be due for messages to be made ahead."""

Remember = Callable[[Match, datetime, str], None]


class Sender(Protocol):
    """Sends messages until each is accepted. Belongs to one thread; only `work` does anything."""

    @property
    def trouble(self) -> str:
        """What went wrong last, in words."""
        ...

    @property
    def pending(self) -> int:
        """The number of messages that are not accepted."""
        ...

    def send(self, message: Message) -> None:
        """Take a message over."""
        ...

    def work(self, for_s: float) -> None:
        """Send, and take in answers, for about `for_s` seconds."""
        ...

    def left(self) -> Iterable[tuple[Message, bool]]:
        """What is not accepted, each with whether it may have arrived all the same."""
        ...

    def close(self) -> None:
        """Leave."""
        ...


def offer(
    load: Iterable[Message],
    sender: Sender,
    attempt: Callable[[Message], None],
    stopped: Callable[[], bool],
) -> bool:
    """Hand each message over when it is due, having called `attempt` for it.

    Returns:
        Whether all of them were; false if `stopped` was true before.
    """
    at_once = 0
    clock = time.monotonic() - time.time()  # a clock that is set must not move what is due
    ahead = _Ahead(load)
    for message in ahead:
        due = message.due.timestamp() + clock
        while (early := due - time.monotonic()) > 0 or sender.pending >= BACKLOG_MAX:
            if stopped():
                return False
            made = early > SPARE_S and ahead.make_some()
            sender.work(0 if made else min(max(early, 0.0), 0.05))
            at_once = 0
        if stopped():  # also if it is late all the time
            return False
        attempt(message)
        sender.send(message)
        at_once += 1
        if at_once % LATE_TOGETHER == 0:
            sender.work(0)
    return True


class _Ahead:
    """A load, of which some may be made before it is asked for."""

    def __init__(self, load: Iterable[Message]) -> None:
        self._load = iter(load)
        self._made: deque[Message] = deque()

    def __iter__(self) -> Iterator[Message]:
        while self._made or self.make_some(1):
            yield self._made.popleft()

    def make_some(self, count: int = LATE_TOGETHER) -> bool:
        """Make up to `count` more; return whether any was made."""
        before = len(self._made)
        self._made.extend(islice(self._load, min(count, AHEAD_MAX - before)))
        return len(self._made) > before


def flush(sender: Sender, within_s: float) -> None:
    """Let a sender work until everything is accepted.

    Raises:
        NotWithin: it is not in time.
    """

    def look() -> bool:
        sender.work(0.05)
        return not sender.pending

    eventually("every message to be accepted", look, within_s=within_s, every_s=0)


@contextmanager
def offer_load(
    profile: profiles.Profile,
    series: str,
    url: str,
    ledger: Ledger,
    remember: Remember,
) -> Iterator[Load]:
    """Offer a load for the block, from a thread of its own.

    Args:
        series: the seed of the load; makes its matches its own.
        url: of the broker, as the scraper reaches it.
        ledger: where attempts and confirms are recorded.
        remember: called with each observation that the broker has confirmed.

    Raises:
        LabError: messages were still unconfirmed `FLUSH_S` after the block, or the thread failed.
    """
    load = Load(profile, series, url, ledger, remember)
    thread = threading.Thread(target=load.run, name=f"load-{series}", daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        thread.join()
    if load.failure is not None:
        raise LabError(f"the load {series!r} failed: {load.failure}") from load.failure


@dataclass
class Load:
    """One load, run by a thread of its own; see `offer_load`.

    Attributes:
        over: set once everything is accepted, or the load has failed.
    """

    profile: profiles.Profile
    series: str
    url: str
    ledger: Ledger
    remember: Remember
    stop: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None

    def run(self) -> None:
        """Attempt until `stop` is set or the load is over; then wait until all is confirmed."""
        sender = QueueSender(self.url, self._accepted)
        load = messages(self.profile, self.series, datetime.now(UTC))
        try:
            offer(load, sender, self._attempt, self.stop.is_set)
            self._flush(sender)
        except Exception as error:  # raised again by `offer_load`
            self.failure = error
        finally:
            sender.close()
            self.over.set()

    def _attempt(self, message: Message) -> None:
        self.ledger.attempt(**attempt_of(message), sender="load", expect="effect")

    def _accepted(self, message: Message) -> None:
        self.ledger.accept(message.message_id, "queue")
        self.remember(message.match, message.due, message.message_id)

    def _flush(self, sender: QueueSender) -> None:
        try:
            flush(sender, FLUSH_S)
        except NotWithin as error:
            for message, sent in sender.left():
                self.ledger.history.write(
                    "unknown" if sent else "refused",
                    message_id=message.message_id,
                    way="queue",
                    detail=sender.trouble,
                )
            raise LabError(f"{error}; trouble: {sender.trouble}") from error
