"""Watches a run from outside and writes what it sees into the history.

A thread follows the scraper's journals, the backend's receipts and the queues' depths while the
system works. Only seeing happens here; judging is `lab.checker.check`'s. What cannot be seen, now
or later, is recorded as a doubt: the verdict is unknown then.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from lab.clients import amqp
from lab.clients.amqp import DeadLetter
from lab.clients.backend import Backend, BackendSilent
from lab.history.journals import SCRAPER, Journal, JournalReader
from lab.history.log import History, HistoryError
from lab.history.receipts import ReceiptReader
from system.contract.submission import Effect, Receipt

EVERY_S = 0.25
DOUBTS_MAX = 100
"""Different ones that are recorded; more of them say nothing new."""
_JOURNAL_EVENTS = frozenset({"attempted", "accepted", "refused", "unknown", "row_refused"})


class Ledger:
    """What has been seen so far, and the history that it is written to. Use as a context manager.

    Attributes:
        attempted, accepted: ids of messages, from the journals and from the lab's own senders.
        scraped: those of `accepted` that came from the scraper.
        refused: ids that the API refused for good; the scraper keeps these messages aside.
        effects: ids with a receipt.
        dead: ids seen in the dead-letter queue.
        accepted_by, effects_by: how many were accepted, and took effect, by each way.
        newest: by the id of a match, `observed_at` and message id of its newest receipt.
        match_ids: by identity, the id of the match that its receipts name.
        shared: whether others may use the lab, too.
    """

    def __init__(self, history: History, backend: Backend, operator_url: str) -> None:
        self.history = history
        self.attempted: set[str] = set()
        self.accepted: set[str] = set()
        self.scraped: set[str] = set()
        self.refused: set[str] = set()
        self.effects: set[str] = set()
        self.dead: set[str] = set()
        self.accepted_by: Counter[str] = Counter()
        self.effects_by: Counter[str] = Counter()
        self.newest: dict[int, tuple[datetime, str]] = {}
        self.match_ids: dict[str, int] = {}
        self.rows_refused = 0
        self._receipts = ReceiptReader(backend, history, self._take_in_receipts)
        self._operator = operator_url
        self._asker = amqp.Watcher(operator_url)
        self._journals = JournalReader()
        self.shared = False
        self._left_out: set[str] = set()
        self._older: set[str] = set()
        self._doubts: set[str] = set()
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
        self._asker.close()

    @property
    def waiting(self) -> set[str]:
        """Ids that were accepted and have not been seen to end anywhere."""
        with self._sets:
            return self.accepted - self._ended()

    def counts(self) -> dict[str, int]:
        """How many messages have been seen in each state."""
        with self._sets:
            return {
                "attempted": len(self.attempted),
                "accepted": len(self.accepted),
                "took_effect": len(self.effects),
                "dead_lettered": len(self.dead),
                "waiting": len(self.accepted - self._ended()),
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
            self.accepted_by[way] += 1

    def check(self, name: str, *, ok: bool | None, detail: str, law: int | None = None) -> None:
        """Record a check made elsewhere; it enters the verdict.

        Args:
            name: what should be so.
            ok: whether it is; None if that cannot be known, which makes the verdict unknown.
            detail: what was seen.
            law: the law that it is about, 1 to 5.
        """
        verdict = "unknown" if ok is None else "valid" if ok else "invalid"
        self.history.write("check", name=name, verdict=verdict, detail=detail, law=law)

    def doubt(self, detail: str) -> None:
        """Record something that could not be seen, once; it makes the verdict unknown."""
        with self._sets:
            if detail in self._doubts or len(self._doubts) >= DOUBTS_MAX:
                return
            self._doubts.add(detail)
        self.history.write("doubt", detail=detail)

    def decided_here(self, match_id: int) -> bool:
        """Whether a message of this run is the newest that a match is known to hold."""
        with self._sets:
            message_id = self.newest[match_id][1] if match_id in self.newest else ""
            return message_id in self.attempted and message_id not in self._older

    @property
    def journals(self) -> list[Journal]:
        """The journals that are followed."""
        with self._lock:
            return self._journals.journals

    def begin_at_present(self) -> None:
        """Share the lab: leave out the receipts and the dead letters that are there already.

        Raises:
            BackendSilent: the backend did not answer, or not as it promises.
            amqp.TROUBLE: the broker did not answer.
        """
        with self._lock:
            self.shared = True
            self._receipts.skip()
            self._left_out = {letter.message_id for letter in amqp.dead_letters(self._operator)}

    def follow(self, journal: Journal) -> None:
        """Follow a journal from now on."""
        with self._lock:
            self._journals.follow(journal)

    def look(self) -> None:
        """Take in what the journals and the receipts say now.

        Raises:
            BackendSilent: the backend did not answer, or not as it promises.
        """
        with self._lock:
            for journal, entry in self._journals.read_on():
                try:
                    self._take_in(entry, journal.sender)
                except (KeyError, TypeError, AttributeError, HistoryError) as error:
                    self.doubt(f"a line of {journal.name} is not as a journal promises: {error!r}")
            self._receipts.read_on()

    def look_anew(self) -> int:
        """Read all receipts of the run once more, and record what has vanished; return how many.

        Raises:
            BackendSilent: the backend did not answer, or not as it promises.
        """
        with self._lock:
            effects = self._receipts.read_anew()
            with self._sets:
                self.effects = effects
        return len(effects)

    def look_at_dead_letters(self) -> int:
        """Take in the dead letters; return how many there are now.

        Raises:
            amqp.TROUBLE: the broker did not answer.
        """
        return len(self._dead_letters())

    def missing_dead_letters(self) -> set[str]:
        """Take in the dead letters; return ids that were among them before and are not now.

        Raises:
            amqp.TROUBLE: the broker did not answer.
        """
        there = {letter.message_id for letter in self._dead_letters()}
        return (self.dead & self.attempted if self.shared else self.dead) - there

    def forget_dead_letters(self, message_ids: Iterable[str]) -> None:
        """Record that these are no longer dead letters."""
        for message_id in sorted(message_ids):
            self.history.write("vanished", place="dead_letters", message_id=message_id)
            with self._sets:
                self.dead.discard(message_id)

    def depths(self) -> dict[str, int]:
        """How many messages each watched queue holds now.

        Raises:
            amqp.TROUBLE: the broker did not answer, or a queue is not there.
        """
        return self._asker.ask(amqp.depths)

    def depth(self, queue: str) -> int:
        """How many messages any one queue holds now.

        Raises:
            amqp.TROUBLE: as `depths` does.
        """
        return self._asker.ask(lambda on: amqp.depth(on, queue))

    def _ended(self) -> set[str]:
        return self.effects | self.dead | self.refused

    def _dead_letters(self) -> list[DeadLetter]:
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
        return letters

    def _take_in_receipts(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            self.history.write("receipt", **receipt.model_dump(mode="json"))
        with self._sets:
            for receipt in receipts:
                self.effects.add(receipt.message_id)
                self.effects_by[receipt.way] += 1
                if receipt.effect in (Effect.STALE, Effect.FILLED):
                    self._older.add(receipt.message_id)
                age = receipt.observed_at, receipt.message_id
                self.newest[receipt.match_id] = max(age, self.newest.get(receipt.match_id, age))
                self.match_ids[receipt.identity] = receipt.match_id

    def _take_in(self, entry: Any, sender: str) -> None:
        event = entry["event"]
        if event not in _JOURNAL_EVENTS:
            return
        fields = {name: value for name, value in entry.items() if name not in ("event", "at")}
        if event == "attempted":
            fields |= {"sender": sender, "expect": "effect"}
        self.history.write(event, **fields)
        with self._sets:
            if event == "attempted":
                self.attempted.add(fields["message_id"])
            elif event == "accepted":
                self.accepted.add(fields["message_id"])
                if sender == SCRAPER:
                    self.scraped.add(fields["message_id"])
                self.refused.discard(fields["message_id"])
                self.accepted_by[fields["way"]] += 1
            elif event == "refused":
                self.refused.add(fields["message_id"])
            elif event == "row_refused":
                self.rows_refused += 1

    def _watch(self) -> None:
        while not self._stop.wait(EVERY_S):
            try:
                self._look_if_there()
                for queue, ready in self.depths().items():
                    self.history.write("depth", queue=queue, ready=ready)
            except amqp.TROUBLE:
                pass  # the broker may be away on purpose; the final look says whether it came back
            except Exception as error:  # a recorder that ended silently would look like a quiet run
                with suppress(HistoryError):  # a history that takes nothing says so by its torn end
                    self.doubt(f"the recorder failed: {error!r}")

    def _look_if_there(self) -> None:
        with suppress(BackendSilent):  # it may be away on purpose, and what it has is read later
            self.look()
