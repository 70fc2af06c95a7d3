"""A run of the lab: a running system, a record, and the verbs of an experiment.

run folder  .runs/<time>-<name>/    history.jsonl  verdict.json  report.html  logs/
"""

from __future__ import annotations

import random
import traceback
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lab import wait
from lab.checker import check as auditing
from lab.checker import model
from lab.checker.check import Audit
from lab.clients import amqp
from lab.clients.backend import Backend
from lab.experiment import settle as settling
from lab.experiment.metrics import LabMetrics
from lab.experiment.probe import compare_store, look_everywhere
from lab.faults import registry as fault
from lab.faults.residue import Residue
from lab.history import log as history
from lab.history.ledger import Ledger
from lab.history.log import History
from lab.substrates.abilities import RunsPrograms
from lab.substrates.plan import Plan
from lab.substrates.protocol import Endpoints, Substrate
from lab.workload import foreign, profiles, second_sender
from lab.workload import generator as load
from lab.workload.league.season import Season
from lab.workload.profiles import Profile
from lab.workload.scraper import COMPLETE, PARTIAL, SPOOLED, Scraper
from system.contract import envelope
from system.contract import match as contract
from system.contract.match import Match


def scraped(refused: int, expected: int, code: int, right: Collection[int]) -> str:
    """What a scrape came to, in words; with its exit code only if that is not what it must be."""
    if refused == expected and code in right:
        known = f"; {refused} rows refused, just those that cannot be read" if refused else ""
        kept = "; all of it stayed in the outbox" if code == SPOOLED else ""
        return f"read{known}{kept}"
    codes = " or ".join(map(str, sorted(right)))
    return (
        f"{refused} rows refused, {expected} cannot be read;"
        f" exit code {code}, and it must be {codes}"
    )


_NEVER = datetime.min.replace(tzinfo=UTC)
PLAIN_MATCH = {
    "home_team": "NEFC",
    "away_team": "Seacoast United",
    "match_date": "2025-10-18",
    "season": "2025-26",
    "age_group": "U14",
    "match_type": "League",
    "league": "Homegrown",
    "division": "Northeast",
}
"""A match that keeps the contract and says nothing more."""


@dataclass
class Lab:
    """What a scenario holds.

    Attributes:
        folder: of this run; everything that it leaves behind is in there.
        seed: of everything that is drawn; the plan's own, but one of this run in a lab that is
            shared, so that its messages are not another run's.
        true: by identity, what the store must hold in the end.
        residue: what the faults so far may have left waiting; settling takes that into account.
    """

    substrate: Substrate
    endpoints: Endpoints
    plan: Plan
    folder: Path
    history: History
    ledger: Ledger
    season: Season
    scraper: Scraper
    rng: random.Random
    metrics: LabMetrics
    seed: int
    true: dict[str, dict[str, object]] = field(default_factory=dict)
    residue: Residue = field(default_factory=Residue)
    _newest: dict[str, tuple[datetime, str]] = field(default_factory=dict)
    _scraped: datetime = _NEVER
    _loads: int = 0

    @property
    def programs(self) -> RunsPrograms:
        """Where commands of the system can be run."""
        return self.scraper.place

    def load(self, profile: str | Profile = "steady") -> AbstractContextManager[load.Load]:
        """Publish observations for the block at a profile's rate; see `lab.workload.generator`.

        Raises:
            CannotRun: no profile has this name.
        """
        chosen = profiles.find(profile) if isinstance(profile, str) else profile
        return load.offer_load(
            chosen,
            self.next_series(),
            self.endpoints.broker_urls["scraper"],
            self.ledger,
            self.remember,
        )

    def next_series(self) -> str:
        """The seed of one more load."""
        self._loads += 1
        return f"{self.seed}-{self._loads}"

    @contextmanager
    def fault(self, name: str, **parameters: Any) -> Iterator[None]:
        """Break the system for the block, and cure it; see `lab.faults.registry`."""
        with fault.applied(name, self, **parameters), self.metrics.active(name):
            yield

    def run_for(self, seconds: float, watch: Callable[[], None] = lambda: None) -> None:
        """Let time pass; see `lab.wait.run_for`."""
        wait.run_for(seconds, watch)

    def scrape(self, moment: datetime, index: int) -> None:
        """Let the scraper read the whole site as it stands at `moment`; return when it is done."""
        self.history.write("scrape", index=index, moment=moment, phase="begin")
        refused_before = self.ledger.rows_refused
        spooled_before = self.ledger.accepted_by["outbox"]
        self.ledger.follow(self.scraper.journal(index))
        code = self.scraper.scrape(moment, index)
        self.ledger.look()
        self.history.write("scrape", index=index, moment=moment, phase="end")
        seen = {identity: model.of(each) for identity, each in self.season.truth_at(moment).items()}
        if moment >= self._scraped:
            self.true |= seen
            self._scraped = moment
        else:  # what was seen of a later moment is newer
            self.true = seen | self.true
        refused = self.ledger.rows_refused - refused_before
        expected = self.season.unreadable_at(moment)
        right = {PARTIAL if expected else COMPLETE}
        if self.ledger.accepted_by["outbox"] > spooled_before:  # a fault may leave it no other way
            right.add(SPOOLED)
        self.check(
            f"scrape {index + 1}",
            ok=refused == expected and code in right,
            detail=scraped(refused, expected, code, right),
        )

    def send_foreign(self, ordinal: int) -> None:
        """Send foreign messages: see `lab.workload.foreign`."""
        url = self.endpoints.broker_urls["admin"]
        for message in foreign.messages(self.rng, ordinal):
            foreign.send(message, url, self.ledger)
            if message.expect == foreign.EFFECT:
                match = contract.parse(message.match)
                self.true[match.identity] = model.of(match)

    def send_as_second_sender(self, moment: datetime) -> None:
        """Repeat what is known of a few matches, and less: see `lab.workload.second_sender`."""
        for message in second_sender.messages(self.rng, self.season, moment):
            foreign.send(message, self.endpoints.broker_urls["admin"], self.ledger)

    def send(self, *, message_id: str | None = None, **fields: Any) -> str:
        """Publish one observation of a match, as the scraper would; return its message id.

        Args:
            message_id: a new one if not given.
            fields: of the contract, over those of a plain match.

        Raises:
            NotTaken: the broker refused it.
        """
        match = contract.parse({**PLAIN_MATCH, **fields})
        now = datetime.now(UTC)
        message_id = message_id or str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
        wrapped = envelope.wrap(match, message_id=message_id, published_at=now)
        if message_id not in self.ledger.attempted:
            self.ledger.attempt(
                message_id=message_id,
                identity=match.identity,
                published_at=now,
                observed_at=match.observed_at or now,
                sender="lab",
                expect=foreign.EFFECT,
            )
        amqp.publish(self.endpoints.broker_urls["admin"], [wrapped])
        self.ledger.accept(message_id, "queue")
        self.remember(match, match.observed_at or now, message_id)
        return message_id

    def remember(self, match: Match, observed_at: datetime, message_id: str) -> None:
        """Expect what an accepted observation says, if it is the newest of its match."""
        if (observed_at, message_id) > self._newest.get(match.identity, (_NEVER, "")):
            self._newest[match.identity] = (observed_at, message_id)
            self.true[match.identity] = model.after(self.true.get(match.identity), match)

    def finish(self, settled_down: Callable[[], None] = lambda: None) -> None:
        """Settle, compare the store with the expected state, and probe every place.

        Args:
            settled_down: called in between, when nothing moves any more.
        """
        settled = self.settle()
        settled_down()
        self.compare_with_truth(settled=settled)
        self.final_look()
        self.history.write("ended")

    def audit(self) -> Audit:
        """Finish, and check what happened so far."""
        self.finish()
        return auditing.audit(history.read(self.folder / history.FILE))

    def settle(self) -> bool:
        """Wait until no message waits; see `lab.experiment.settle`."""
        return settling.settle(self.ledger, self.endpoints.management, self.residue)

    def check(self, name: str, *, ok: bool | None, detail: str, law: int | None = None) -> None:
        """Record a check of one's own; see `lab.history.ledger.Ledger.check`."""
        self.ledger.check(name, ok=ok, detail=detail, law=law)

    @contextmanager
    def checking(self, name: str) -> Iterator[None]:
        """A block that checks something: if it fails, the check `name` is unknown.

        An error ends the block and not the run, so there is a verdict all the same; the traceback
        is in the run's folder, in `logs/lab.log`.
        """
        try:
            yield
        except Exception as error:  # a check that crashed has decided nothing
            with (self.folder / "logs" / "lab.log").open("a") as out:
                traceback.print_exc(file=out)
            self.check(name, ok=None, detail=f"{type(error).__name__}: {error}")

    def compare_with_truth(self, *, settled: bool = True) -> None:
        """Compare every stored match with the expected state; see `lab.experiment.probe`."""
        compare_store(
            self.ledger,
            Backend(self.endpoints.api_url),
            self.true,
            self.season.aliases,
            settled=settled,
        )

    def final_look(self) -> None:
        """Probe every place where a message can be; see `lab.experiment.probe`."""
        look_everywhere(self.ledger, self.scraper)
