"""A running system as the worker's tests see it: what goes in, what took effect, what died.

The lab that runs it comes from pytest's fixtures; tests of the system never import it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pika
import psutil
import psycopg
from psycopg.rows import dict_row

from system.contract import envelope as wire
from system.contract import match as contract
from system.contract.tests.samples import OURS
from system.contract.topology import EXCHANGE, PROCESS_QUEUE
from system.worker.dead_letters import queue as letterbox
from system.worker.dead_letters.letter import DeadLetter

T = TypeVar("T")
JSON = {"content_type": "application/json", "content_encoding": "utf-8"}


def until(
    what: str, look: Callable[[], T | None], *, within_s: float = 60.0, every_s: float = 0.1
) -> T:
    """Look until something true is seen, and return it; fail with words at the deadline."""
    deadline = time.monotonic() + within_s
    while True:
        seen = look()
        if seen:
            return seen
        assert time.monotonic() < deadline, f"{what}: not within {within_s:g} s; last saw {seen!r}"
        time.sleep(every_s)


class Bench:
    """Puts messages in, and looks at what becomes of them."""

    def __init__(self, lab: Any) -> None:
        self.lab = lab
        self.urls = lab.endpoints.broker_urls

    def put(
        self, body: bytes, *, exchange: str = EXCHANGE, key: str = PROCESS_QUEUE, **properties: Any
    ) -> None:
        """Publish bytes as they are, confirmed."""
        self.put_all([body], exchange=exchange, key=key, **properties)

    def put_all(
        self,
        bodies: Iterable[bytes],
        *,
        exchange: str = EXCHANGE,
        key: str = PROCESS_QUEUE,
        **properties: Any,
    ) -> None:
        """Publish several, with the same properties."""
        with letterbox.open_channel(self.urls["admin"]) as on:
            on.confirm_delivery()
            for body in bodies:
                on.basic_publish(
                    exchange,
                    key,
                    body,
                    pika.BasicProperties(delivery_mode=2, **properties),
                    mandatory=True,
                )

    def send(self, envelope: wire.Envelope, *, key: str = PROCESS_QUEUE) -> str:
        """Publish a message of ours; return its id."""
        self.put(
            envelope.body,
            key=key,
            headers=dict(envelope.headers),
            message_id=envelope.message_id,
            **JSON,
        )
        return envelope.message_id

    def depth(self, queue: str) -> int:
        """Messages ready in a queue."""
        return int(self.lab.ledger.depth(queue))

    def receipts(self, *message_ids: str) -> list[dict[str, Any]]:
        """The receipts of these messages, oldest first."""
        with psycopg.connect(
            self.lab.endpoints.database_url, row_factory=dict_row, connect_timeout=30
        ) as connection:
            return connection.execute(
                "SELECT * FROM receipts WHERE message_id = ANY(%s) ORDER BY committed_at",
                [list(message_ids)],
            ).fetchall()

    def letters(self, *message_ids: str) -> list[DeadLetter]:
        """The dead letters with these ids; with none given, all."""
        with letterbox.open_channel(self.urls["operator"]) as on:
            return [
                held.letter
                for held in letterbox.walk(on)
                if not message_ids or held.letter.message_id in message_ids
            ]

    def letter(self, message_id: str, within_s: float = 60.0) -> DeadLetter:
        """The one dead letter with this id, as soon as it is there."""
        (found,) = until(
            f"{message_id} to be dead-lettered",
            lambda: self.letters(message_id),
            within_s=within_s,
            every_s=0.3,
        )
        return found

    def receipt(self, message_id: str, within_s: float = 60.0) -> dict[str, Any]:
        """The one receipt of this message, as soon as it is there."""
        (found,) = until(
            f"a receipt of {message_id}", lambda: self.receipts(message_id), within_s=within_s
        )
        return found

    @property
    def worker(self) -> psutil.Process:
        """The worker that runs now."""
        return self.process("worker-0")

    @property
    def ready_file(self) -> Path:
        """The file by which the worker says that it consumes."""
        return Path(self.worker.cwd()) / "worker-0.ready"

    def process(self, name: str) -> psutil.Process:
        """A process of the lab, by its name."""
        (pid,) = (each.pid for each in self.lab.substrate.processes() if each.name == name)
        return psutil.Process(pid)

    def busy_child(self) -> psutil.Process:
        """The pool child that talks to the API, as soon as there is one."""
        port = urlsplit(self.lab.endpoints.api_url).port

        def look() -> psutil.Process | None:
            for child in self.worker.children():
                with suppress(psutil.NoSuchProcess):  # a killed one may go while we look
                    if any(c.raddr and c.raddr.port == port for c in child.net_connections("tcp")):
                        return child
            return None

        return until("a child to talk to the API", look)

    def consumers(self, queue: str) -> int:
        """How many consume from a queue."""
        with letterbox.open_channel(self.urls["operator"]) as on:
            return int(on.queue_declare(queue, passive=True).method.consumer_count)

    def held(self, queue: str) -> int | None:
        """How many messages a queue has, delivered ones included; None if not counted yet."""
        try:
            return int(self.lab.endpoints.management.held([queue]))
        except Exception:  # the lab's own error, which is not known here
            return None

    def whole_log(self) -> str:
        """Everything that the worker has said."""
        (log,) = self.lab.substrate.logs("worker")
        return str(log.text())

    def log(self, message_id: str) -> list[dict[str, Any]]:
        """What the worker has said about a message."""
        lines = self.whole_log().splitlines()
        said = [json.loads(line) for line in lines if line.startswith("{")]
        return [each for each in said if each.get("message_id") == message_id]

    def clear(self) -> None:
        """Take every dead letter out, so that the next test finds none."""
        with letterbox.open_channel(self.urls["operator"]) as on:
            for held in letterbox.walk(on):
                held.take()


def has_ended(process: psutil.Process) -> bool:
    """Whether a process is no more; one that only waits to be reaped is not."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def open_bench(
    open_lab: Callable[..., Any],
    *,
    weakened: dict[str, Any] | None = None,
    wrapper: str = "one_setting",
    **settings: Any,
) -> Bench:
    """A system with one worker, one child, and settings of its own.

    Args:
        open_lab: the fixture.
        weakened: settings of Celery to change, for a test that shows what they are good for.
        wrapper: the module of `system.tests.weakened` that changes them.
        settings: of the worker.
    """
    env = {f"MISSING_TABLE_{name.upper()}": str(value) for name, value in settings.items()}
    if weakened is None:
        return Bench(open_lab(concurrency=1, settings={"worker": env}))
    env["WEAKENED"] = json.dumps(weakened)
    wrappers = {"worker": f"system.tests.weakened.{wrapper}"}
    return Bench(open_lab(concurrency=1, settings={"worker": env}, wrapper=wrappers))


@contextmanager
def frozen_api(bench: Bench) -> Iterator[None]:
    """The API hears nothing and says nothing in the block; then it goes on."""
    bench.lab.substrate.pause("api")
    try:
        yield
    finally:
        bench.lab.substrate.resume("api")


def a_match(task: str = wire.PROCESS_TASK, **fields: Any) -> wire.Envelope:
    """A fresh message about a match of its own."""
    message_id = wire.new_message_id()
    return wire.wrap_arguments(
        [contract.dump(contract.parse(OURS)) | {"external_match_id": message_id[:13]} | fields],
        {},
        message_id=message_id,
        published_at=datetime.now(UTC),
        task=task,
    )
