"""Watches a run from outside and writes what it sees into the history.

A thread follows the scraper's journals, the backend's receipts and the queues' depths while the
system works. Only seeing happens here; judging is `lab.checker.check`'s.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab.clients import amqp
from lab.clients.backend import Backend, BackendSilent
from lab.history.log import History
from system.contract.submission import Effect

EVERY_S = 0.25
_JOURNAL_EVENTS = frozenset({"attempted", "accepted", "refused", "unknown", "row_refused"})


@dataclass(frozen=True)
class Journal:
    """A scraper's journal, wherever it lies.

    Attributes:
        name: of its file.
        read: gives what it holds from an offset on, a bounded piece; None if it is not there yet.
    """

    name: str
    read: Callable[[int], bytes | None] = field(compare=False)


class Ledger:
    """What has been seen so far, and the history that it is written to. Use as a context manager.

    Attributes:
        attempted, accepted: ids of messages, from the journals and from the lab's own senders.
        scraped: those of `accepted` that came from the scraper.
        effects: ids with a receipt.
        dead: ids seen in the dead-letter queue.
        shared: whether others may use the lab, too.
    """

    def __init__(self, history: History, backend: Backend, operator_url: str) -> None:
        self.history = history
        self.attempted: set[str] = set()
        self.accepted: set[str] = set()
        self.scraped: set[str] = set()
        self.effects: set[str] = set()
        self.dead: set[str] = set()
        self.rows_refused = 0
        self._backend = backend
        self._operator = operator_url
        self._cursor = ""
        self._left_out: set[str] = set()
        self.shared = False
        self._newest: dict[str, tuple[datetime, str]] = {}
        self._journals: dict[Journal, int] = {}
        self._lock = threading.RLock()  # of one look at a time, which may take seconds
        self._sets = threading.Lock()  # of the sets above, and never held for long
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ledger", daemon=True)

    def __enter__(self) -> Ledger:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    @property
    def waiting(self) -> set[str]:
        """Ids that were accepted and have not been seen to end anywhere."""
        with self._sets:
            return self.accepted - self.effects - self.dead

    def decided_here(self, identity: str) -> bool:
        """Whether a message of this run is the newest that a match is known to hold."""
        with self._sets:
            return self._newest.get(identity, (None, ""))[1] in self.attempted

    def counts(self) -> dict[str, int]:
        """How many messages have been seen in each state."""
        with self._sets:
            ended = self.effects | self.dead
            return {
                "attempted": len(self.attempted),
                "accepted": len(self.accepted),
                "took_effect": len(self.effects),
                "dead_lettered": len(self.dead),
                "waiting": len(self.accepted - ended),
            }

    def attempt(self, *, message_id: str, expect: str, sender: str, **fields: Any) -> None:
        """Record an attempt of the lab's own senders, before it is made."""
        self.history.write(
            "attempted", durable=True, message_id=message_id, expect=expect, sender=sender, **fields
        )
        with self._sets:
            self.attempted.add(message_id)

    def accept(self, message_id: str, way: str) -> None:
        """Record that one of the lab's own messages is safe."""
        self.history.write("accepted", message_id=message_id, way=way)
        with self._sets:
            self.accepted.add(message_id)

    @property
    def journals(self) -> list[Journal]:
        """The journals that are followed."""
        with self._lock:
            return list(self._journals)

    def begin_at_present(self) -> None:
        """Leave out the receipts and the dead letters that are there already.

        Raises:
            BackendSilent: the backend did not answer.
            amqp.TROUBLE: the broker did not answer.
        """
        self.shared = True
        with self._lock:
            more = True
            while more:
                receipts, self._cursor = self._backend.receipts(self._cursor)
                more = bool(receipts)
            self._left_out = {letter.message_id for letter in amqp.dead_letters(self._operator)}

    def follow(self, journal: Journal) -> None:
        """Follow a scraper's journal from now on."""
        with self._lock:
            self._journals.setdefault(journal, 0)

    def look(self) -> None:
        """Take in what the journals and the receipts say now.

        Raises:
            BackendSilent: the backend did not answer.
        """
        with self._lock:
            for journal in self._journals:
                self._read_journal(journal)
            while self._read_receipts():
                pass

    def look_at_dead_letters(self) -> int:
        """Take in the dead letters; return how many there are now.

        Raises:
            broker.TROUBLE: the broker did not answer.
        """
        letters = amqp.dead_letters(self._operator)
        with self._lock:
            for letter in letters:
                if letter.message_id in self.dead or letter.message_id in self._left_out:
                    continue
                with self._sets:
                    self.dead.add(letter.message_id)
                self.history.write(
                    "dead_letter",
                    message_id=letter.message_id,
                    reason=letter.reason,
                    detail=letter.detail,
                    where=letter.where,
                    queue=letter.queue,
                    published_at=letter.published_at,
                    died_at=letter.died_at,
                )
        return len(letters)

    def depths(self) -> dict[str, int]:
        """How many messages each watched queue holds now."""
        with amqp.channel(self._operator) as on:
            return amqp.depths(on)

    def _read_receipts(self) -> bool:
        receipts, self._cursor = self._backend.receipts(self._cursor)
        with self._sets:
            self.effects.update(receipt.message_id for receipt in receipts)
            for receipt in receipts:
                if receipt.effect is not Effect.STALE:
                    age = (receipt.observed_at, receipt.message_id)
                    self._newest[receipt.identity] = max(
                        age, self._newest.get(receipt.identity, age)
                    )
        for receipt in receipts:
            self.history.write("receipt", **receipt.model_dump(mode="json"))
        return bool(receipts)

    def _read_journal(self, journal: Journal) -> None:
        while piece := journal.read(self._journals[journal]):
            whole = piece[: piece.rfind(b"\n") + 1]
            if not whole:
                return  # its line is still being written
            self._journals[journal] += len(whole)
            for line in whole.splitlines():
                with suppress(ValueError):  # a crash tore it; the next run put a line end behind it
                    self._take_in(json.loads(line))

    def _take_in(self, entry: Mapping[str, Any]) -> None:
        fields = {name: value for name, value in entry.items() if name not in ("event", "at")}
        event = entry["event"]
        if event not in _JOURNAL_EVENTS:
            return
        if event == "attempted":
            fields |= {"sender": "scraper", "expect": "effect"}
            with self._sets:
                self.attempted.add(fields["message_id"])
        elif event == "accepted":
            with self._sets:
                self.accepted.add(fields["message_id"])
                self.scraped.add(fields["message_id"])
        elif event == "row_refused":
            self.rows_refused += 1
        self.history.write(event, **fields)

    def _watch(self) -> None:
        # Backend and broker may be away on purpose; the final look says whether they came back.
        while not self._stop.wait(EVERY_S):
            self._look_if_there()
            # One connection for as long as it lasts: opening one costs the broker more than a look.
            with suppress(*amqp.TROUBLE), amqp.channel(self._operator, heartbeat_s=5) as on:
                while not self._stop.wait(EVERY_S):
                    self._look_if_there()
                    for queue, ready in amqp.depths(on).items():
                        self.history.write("depth", queue=queue, ready=ready)

    def _look_if_there(self) -> None:
        with suppress(BackendSilent):
            self.look()
