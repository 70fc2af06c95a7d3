"""The pipeline as a contender: its defaults, two workers of two children, and the lab's verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.checker import model
from lab.checker.measures import LATENCY_MEAN
from lab.checker.verdict import Verdict
from lab.clients.backend import Backend
from lab.errors import CannotRun
from lab.experiment.plan import make_plan
from lab.experiment.probe import compare_store, look_everywhere
from lab.experiment.runs import keep_logs
from lab.experiment.settle import settle
from lab.faults.residue import Residue
from lab.history import log
from lab.history.journals import JournalWriter, load_journal
from lab.history.ledger import Ledger
from lab.history.log import History
from lab.report import conclude
from lab.substrates.abilities import Pausable
from lab.substrates.plan import Plan, Role
from lab.substrates.protocol import Endpoints, Substrate
from load.bench import cpu
from load.bench.backlog import RECEIPTS, publish_all
from system.contract import match as contract
from system.contract.envelope import Envelope
from system.contract.topology import EXCHANGE, PROCESS_QUEUE

SEED = 7


@dataclass(frozen=True)
class Pipeline:
    """The pipeline by one of its sinks.

    Attributes:
        sink: `api` or `database`.
        settings: of the workers beside their defaults, by their variables.
    """

    sink: str
    workers: int = 2
    concurrency: int = 2
    settings: Mapping[str, str] = field(default_factory=dict)
    ours: bool = True

    @property
    def name(self) -> str:
        """As the table has it."""
        return f"pipeline, {self.sink} sink"

    def plan(self) -> Plan:
        """Everything at its default, monitoring off."""
        env = {"MISSING_TABLE_SINK": self.sink, **self.settings}
        return make_plan(
            seed=SEED,
            matches=40,
            workers=self.workers,
            concurrency=self.concurrency,
            settings={Role.WORKER: env},
        )

    @contextmanager
    def opened(
        self, substrate: Substrate, endpoints: Endpoints, folder: Path
    ) -> Iterator[_Running]:
        """The lab has started all of it."""
        if not isinstance(substrate, Pausable):
            raise CannotRun(f"the substrate {substrate.name!r} cannot stop a worker in mid-air")
        with JournalWriter(folder, 0) as journal:
            yield _Running(self, substrate, substrate, endpoints, folder, journal)


@dataclass
class _Running:
    contender: Pipeline
    substrate: Substrate
    pausable: Pausable
    endpoints: Endpoints
    folder: Path
    journal: JournalWriter
    sent: list[Envelope] = field(default_factory=list)
    receipts: str = RECEIPTS

    def publish(self, messages: Iterable[Envelope]) -> None:
        """Each attempt is recorded before it is made, as in any run."""
        attempted = list(messages)
        for each in attempted:
            match = contract.parse(each.arguments[0])
            self.journal.write(
                "attempted",
                message_id=each.message_id,
                identity=match.identity,
                published_at=each.published_at.isoformat(),
                observed_at=(match.observed_at or each.published_at).isoformat(),
            )
        self.sent += attempted
        url = self.endpoints.broker_urls["scraper"]
        publish_all(url, EXCHANGE, PROCESS_QUEUE, attempted, self._accepted)

    def pause(self) -> None:
        """Each worker with its children."""
        for index in range(self.contender.workers):
            self.pausable.pause(Role.WORKER, index)

    def resume(self) -> None:
        """The same ones."""
        for index in range(self.contender.workers):
            self.pausable.resume(Role.WORKER, index)

    def processes(self) -> Sequence[cpu.Listed]:
        """All of them are the lab's."""
        return ()

    def complaints(self) -> list[str]:
        """The lab's verdict if it is not valid.

        The record is read only now: whoever reads receipts meanwhile costs the API as much as those
        who write them.
        """
        with History(self.folder / log.FILE) as record:
            self._record(record)
        keep_logs(self.substrate, _made(self.folder / "logs"))
        audit = conclude.conclude(self.folder)
        if audit.verdict is Verdict.VALID and audit.counts.committed == len(self.sent):
            return []
        counts = f"{audit.counts.committed} of {len(self.sent)} committed"
        return [f"the lab's verdict is {audit.verdict.value} ({counts}): {audit.why}"]

    def _accepted(self, envelope: Envelope) -> None:
        self.journal.write("accepted", message_id=envelope.message_id, way="queue")

    def _record(self, record: History) -> None:
        settings: dict[str, Any] = {
            "workers": self.contender.workers,
            "matches": 0,
            "objectives": {LATENCY_MEAN: None},  # what waits for stopped workers is late
            "drawn_by": SEED,
        }
        record.write(
            "started",
            name=self.contender.name,
            substrate=self.substrate.name,
            shared=False,
            seed=SEED,
            settings=settings,
        )
        backend = Backend(self.endpoints.api_url)
        ledger = Ledger(record, backend, self.endpoints.broker_urls["operator"])
        ledger.follow(load_journal(self.folder, 0))
        with ledger:
            settled = settle(ledger, self.endpoints.management, Residue())
            compare_store(ledger, backend, self._true(), {}, settled=settled)
            look_everywhere(ledger, _NoOutbox())
        record.write("ended")

    def _true(self) -> dict[str, dict[str, Any]]:
        """What the store must hold: the newest observation last."""
        matches = [(contract.parse(each.arguments[0]), each) for each in self.sent]
        matches.sort(
            key=lambda each: (each[0].observed_at or each[1].published_at, each[1].message_id)
        )
        true: dict[str, dict[str, Any]] = {}
        for match, _ in matches:
            true[match.identity] = model.after(true.get(match.identity), match)
        return true


class _NoOutbox:
    """No scraper takes part."""

    def waiting(self) -> int:
        return 0

    def refused(self) -> Mapping[str, str]:
        return {}


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
