"""Load: observations of matches, published at a given rate, whatever the system does.

The loop is open: the time at which each message is due is drawn beforehand, so a slow system gets
the same load, and latency counts from the time when a message was due. Each attempt is recorded
before it is made, and is repeated under the same id until the broker has confirmed it.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lab.errors import CannotRun, LabError, NotWithin
from lab.history.ledger import Ledger
from lab.wait import eventually
from lab.workload.publisher import LoadPublisher
from system.contract import envelope as wire
from system.contract import match as contract
from system.contract.envelope import Envelope
from system.contract.match import Match
from system.contract.topology import EXCHANGE, PROCESS_QUEUE

BACKLOG_MAX = 20_000
"""With so many unconfirmed messages, no more are attempted until the broker confirms some."""
FLUSH_S = 90.0
"""How long after its block a load goes on to send what it has attempted."""
MATCHES = 200
"""So many matches are observed again and again, so that newest wins is tested all the time."""

Remember = Callable[[Match, datetime, str], None]


@dataclass(frozen=True, slots=True)
class Profile:
    """The rate of a load: phases of (seconds, messages a second), repeated without end."""

    summary: str
    phases: tuple[tuple[float, float], ...]


PROFILES = {
    "steady": Profile("50 a second, as on a match day", ((10.0, 50.0),)),
    "burst": Profile("300 a second for a second, then 5: pages come at once", ((1, 300.0), (4, 5))),
    "trickle": Profile("2 a second, as at night", ((10.0, 2.0),)),
}


def arrivals(profile: Profile, rng: random.Random) -> Iterator[float]:
    """When each message is due, in seconds from the beginning: a Poisson process. Pure."""
    phase_begins = 0.0
    while True:
        for lasts_s, per_s in profile.phases:
            due = phase_begins + rng.expovariate(per_s)
            while due < phase_begins + lasts_s:
                yield due
                due += rng.expovariate(per_s)
            phase_begins += lasts_s


def observation(rng: random.Random, series: str, due: datetime) -> dict[str, Any]:
    """An observation of one of `MATCHES` matches, as it stands at `due`. Pure but for `rng`."""
    number = rng.randrange(MATCHES)
    played = rng.random() < 0.7
    return {
        "home_team": "NEFC",
        "away_team": "Seacoast United",
        "match_date": (due.date() + timedelta(days=number % 30)).isoformat(),
        "season": "2025-26",
        "age_group": "U14",
        "match_type": "League",
        "league": "Homegrown",
        "division": "Northeast",
        "external_match_id": f"load-{series}-{number}",
        "match_status": "completed" if played else "scheduled",
        "observed_at": due.isoformat(),
        **({"home_score": rng.randrange(9), "away_score": rng.randrange(9)} if played else {}),
    }


@contextmanager
def offer_load(
    name: str, series: str, url: str, ledger: Ledger, rng: random.Random, remember: Remember
) -> Iterator[None]:
    """Offer a load for the block, from a thread of its own.

    Args:
        name: of the profile.
        series: makes the matches of this load its own.
        url: of the broker, as the scraper reaches it.
        ledger: where attempts and confirms are recorded.
        rng: seeded, so that the same load can be offered again.
        remember: called with each observation that the broker has confirmed.

    Raises:
        CannotRun: no profile has that name.
        LabError: messages were still unconfirmed `FLUSH_S` after the block, or the thread failed.
    """
    if name not in PROFILES:
        raise CannotRun(f"there is no load {name!r}; there are: {', '.join(PROFILES)}")
    load = _Load(PROFILES[name], series, url, ledger, rng, remember)
    thread = threading.Thread(target=load.run, name=f"load-{name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        load.stop.set()
        thread.join()
    if load.failure is not None:
        raise LabError(f"the load {name!r} failed: {load.failure}") from load.failure


@dataclass
class _Load:
    """One load, run by a thread of its own; see `offer_load`."""

    profile: Profile
    series: str
    url: str
    ledger: Ledger
    rng: random.Random
    remember: Remember
    stop: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None

    def __post_init__(self) -> None:
        self._publisher = LoadPublisher(self.url, EXCHANGE, PROCESS_QUEUE, self._confirmed)
        self._unconfirmed: dict[str, tuple[Match, datetime]] = {}

    def run(self) -> None:
        """Attempt until `stop` is set; then wait until everything attempted is confirmed."""
        try:
            self._offer()
            self._flush()
        except Exception as error:  # raised again by `offer_load`
            self.failure = error
        finally:
            self._publisher.close()

    def _offer(self) -> None:
        begun, begun_at = time.monotonic(), datetime.now(UTC)
        for due in arrivals(self.profile, self.rng):
            while (early := begun + due - time.monotonic()) > 0 or self._is_full():
                if self.stop.is_set():
                    return
                self._publisher.work(min(max(early, 0.0), 0.05))
            if self.stop.is_set():  # also if it is late all the time
                return
            self._attempt(begun_at + timedelta(seconds=due))
            self._publisher.work(0)

    def _is_full(self) -> bool:
        return self._publisher.pending >= BACKLOG_MAX

    def _attempt(self, due: datetime) -> None:
        match = contract.parse(observation(self.rng, self.series, due))
        message_id = str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        self.ledger.attempt(
            message_id=message_id,
            identity=match.identity,
            published_at=due,
            observed_at=due,
            sender="load",
            expect="effect",
        )
        self._unconfirmed[message_id] = (match, due)
        self._publisher.queue.append(wire.wrap(match, message_id=message_id, published_at=due))

    def _confirmed(self, envelope: Envelope) -> None:
        match, due = self._unconfirmed.pop(envelope.message_id)
        self.ledger.accept(envelope.message_id, "queue")
        self.remember(match, due, envelope.message_id)

    def _flush(self) -> None:
        def look() -> bool:
            self._publisher.work(0.05)
            return not self._publisher.pending

        try:
            eventually("the broker to confirm every message", look, within_s=FLUSH_S, every_s=0)
        except NotWithin as error:
            for message_id in self._unconfirmed:
                sent = message_id in self._publisher.sent
                self.ledger.history.write(
                    "unknown" if sent else "refused",
                    message_id=message_id,
                    way="queue",
                    detail=self._publisher.last_error,
                )
            raise LabError(f"{error}; trouble: {self._publisher.last_error}") from error
