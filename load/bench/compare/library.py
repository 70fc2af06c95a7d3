"""Another library as a contender: its own command runs the workers, beside a lab without any."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pika
import psutil
import psycopg

from lab.clients import amqp
from lab.experiment.plan import make_plan
from lab.paths import PROJECT
from lab.substrates.plan import Plan
from lab.substrates.protocol import Endpoints, Substrate
from lab.wait import eventually
from load.bench import cpu
from load.bench.backlog import publish_all
from load.bench.compare import work
from load.bench.compare.judge import Seen, Sent, complaints
from load.bench.compare.wire import Wire
from system.contract import match as contract
from system.contract.envelope import Envelope

END_WITHIN_S = 20.0
SEED = 7


@dataclass(frozen=True)
class Library:
    """A library with its idiomatic set-up.

    Attributes:
        name: as the table has it.
        command: of its workers, after `python -m`.
        queue: which it takes messages from; its workers declare it.
        wire: gives messages the form that the library publishes.
        concurrency: given to its application as `BENCH_CONCURRENCY`.
        versions: the distributions that its version is of.
        words: its set-up in words.
    """

    name: str
    command: Sequence[str]
    queue: str
    wire: Wire
    concurrency: int = 1
    versions: Sequence[str] = ()
    words: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    ours: bool = False

    def plan(self) -> Plan:
        """The same broker and database; nobody else works."""
        return make_plan(seed=SEED, matches=40, workers=0)

    @contextmanager
    def opened(
        self, substrate: Substrate, endpoints: Endpoints, folder: Path
    ) -> Iterator[_Running]:
        """Make the tables and start the workers; nothing of them runs after the block."""
        with psycopg.connect(endpoints.database_url) as connection:
            connection.execute(work.CREATE)
        env = {
            **os.environ,
            "BENCH_BROKER_URL": endpoints.broker_urls["admin"],
            "BENCH_DATABASE_URL": endpoints.database_url,
            "BENCH_CONCURRENCY": str(self.concurrency),
            "PYTHONPATH": str(PROJECT),
            **self.settings,
        }
        with (
            (folder / "workers.log").open("wb") as out,
            subprocess.Popen(
                (sys.executable, "-m", *self.command),
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                yield _Running(self, endpoints, process)
            finally:
                # A session of its own: also what has outlived its parent.
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class _Listed:
    name: str
    pid: int


@dataclass
class _Running:
    contender: Library
    endpoints: Endpoints
    process: subprocess.Popen[bytes]
    sent: list[Sent] = field(default_factory=list)
    receipts: str = f"{work.SCHEMA}.receipts"

    def publish(self, messages: Iterable[Envelope]) -> None:
        """In the library's form; remember what was sent, as it was."""
        plain = list(messages)
        for each in plain:
            match = contract.parse(each.arguments[0])
            self.sent.append(
                Sent(each.message_id, match.identity, match.observed_at or each.published_at)
            )
        url = self.endpoints.broker_urls["admin"]
        publish_all(url, "", self.contender.queue, self.contender.wire(plain))

    def pause(self) -> None:
        """All of its processes."""
        for each in self._tree():
            each.suspend()

    def resume(self) -> None:
        """All of its processes."""
        for each in self._tree():
            each.resume()

    def processes(self) -> Sequence[cpu.Listed]:
        """The command; what it has started is below it."""
        return [_Listed("worker-0", self.process.pid)]

    def complaints(self) -> list[str]:
        """Let the workers end, and look at the tables and the queue."""
        self.process.send_signal(signal.SIGTERM)
        said = []
        try:
            self.process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            said.append(f"the workers did not end within {END_WITHIN_S:g} s")
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        try:
            return said + complaints(self.sent, self._seen())
        except pika.exceptions.ChannelClosedByBroker as error:
            return [*said, f"its queue cannot be looked at: {error}"]

    def _tree(self) -> list[psutil.Process]:
        process = psutil.Process(self.process.pid)
        return [process, *process.children(recursive=True)]

    def _seen(self) -> Seen:
        with psycopg.connect(self.endpoints.database_url) as connection:
            receipts = connection.execute(f"SELECT message_id FROM {self.receipts}").fetchall()  # noqa: S608
            matches = connection.execute(
                f"SELECT identity, message_id FROM {work.SCHEMA}.matches"  # noqa: S608
            ).fetchall()
        return Seen([id_ for (id_,) in receipts], dict(matches), self._waiting())

    def _waiting(self) -> int:
        """How many messages the queue holds once it has no consumer: then none is on its way."""
        with amqp.channel(self.endpoints.broker_urls["admin"]) as on:

            def look() -> bool:
                declared = on.queue_declare(self.contender.queue, passive=True).method
                return int(declared.consumer_count) == 0

            eventually("the consumers to be gone", look, within_s=END_WITHIN_S)
            return amqp.depth(on, self.contender.queue)
