"""The recorder: what it is told wrongly, or cannot record, never passes for a quiet run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from lab.checker.check import audit
from lab.checker.verdict import Verdict
from lab.clients import amqp
from lab.clients.backend import Backend, BackendSilent
from lab.experiment.probe import compare_store, look_everywhere
from lab.history import log
from lab.history.journals import Journal
from lab.history.ledger import Ledger
from lab.history.log import History
from lab.tests.answers import answering
from lab.tests.histories import receipt
from lab.wait import eventually

NOBODY = "amqp://nobody:nothing@127.0.0.1:1/%2F"
SOON_S = 60.0
UNPROMISED: list[Any] = [
    {"receipts": [{"message_id": "x"}], "next": ""},
    {"receipts": {"a": 1}, "next": ""},
    {"receipts": 7, "next": "1.1"},
    {"next": "1.1"},
    {},
    [],
    b"<html>",
]


def stored(number: int, effect: str = "created") -> dict[str, Any]:
    """A receipt as the API shows it."""
    shown = receipt(
        f"m{number}", number, str(number), effect, observed_s=number, cursor=f"{number}.1"
    )
    return {name: value for name, value in shown.items() if name not in ("at", "event")}


class Store:
    """An API that shows these receipts, page by page, or something else in place of a page."""

    def __init__(self, *receipts: dict[str, Any], page: int = 2) -> None:
        self.receipts = list(receipts)
        self.instead: Any = None
        self.asked = 0
        self._page = page

    def __call__(self, path: str, query: dict[str, str]) -> Any:
        """The answer to one request."""
        self.asked += 1
        if self.instead is not None:
            return self.instead
        after = float(query.get("after", 0))
        page = [each for each in self.receipts if float(each["cursor"]) > after][: self._page]
        return {"receipts": page, "next": page[-1]["cursor"] if page else query.get("after", "")}


class EmptyOutbox:
    """Nothing waits, nothing was refused."""

    def waiting(self) -> int:
        """None."""
        return 0

    def refused(self) -> dict[str, str]:
        """None."""
        return {}


@contextmanager
def recording(folder: Path, store: Store) -> Iterator[Ledger]:
    """A ledger over a store; its thread does not run yet."""
    with answering(store) as url, History(folder / log.FILE) as record:
        yield Ledger(record, Backend(url), NOBODY)


def told(folder: Path, event: str) -> list[dict[str, Any]]:
    return [dict(e.fields) for e in log.read(folder / log.FILE) if e.event == event]


def begin(ledger: Ledger, *message_ids: str) -> None:
    """A run in which these were accepted."""
    ledger.history.write("started", name="r", substrate="fake", seed=1, settings={})
    for message_id in message_ids:
        ledger.attempt(
            message_id=message_id,
            expect="effect",
            sender="lab",
            identity=message_id[1:],
            published_at=None,
            observed_at=None,
        )
        ledger.accept(message_id, "queue")


@pytest.mark.parametrize("instead", UNPROMISED, ids=str)
def test_an_answer_that_is_not_as_promised_is_the_backends_own_error(instead: Any) -> None:
    with answering(lambda path, query: instead) as url, pytest.raises(BackendSilent):
        Backend(url).receipts()


def test_receipts_that_come_again_and_again_are_not_read_for_ever(tmp_path: Path) -> None:
    store = Store()
    store.instead = {"receipts": [stored(1)], "next": ""}
    with recording(tmp_path, store) as ledger, pytest.raises(BackendSilent, match="again"):
        ledger.look()


@pytest.mark.parametrize(
    "instead",
    [{"matches": [{"id": 1}], "next": None}, {"matches": 1}, {}, {"matches": [], "next": "1"}],
    ids=str,
)
def test_matches_that_are_none_leave_the_truth_unknown(instead: Any, tmp_path: Path) -> None:
    store = Store()
    store.instead = instead
    with recording(tmp_path, store) as ledger, answering(store) as url:
        compare_store(ledger, Backend(url), {}, {}, settled=True)
    (looked,) = told(tmp_path, "looked")
    assert (looked["what"], looked["ok"]) == ("truth", False)


@pytest.mark.parametrize("instead", UNPROMISED, ids=str)
def test_the_recorder_goes_on_after_an_answer_that_is_not_as_promised(
    instead: Any, tmp_path: Path
) -> None:
    store = Store(stored(1), stored(2))
    store.instead = instead
    with recording(tmp_path, store) as ledger, ledger:
        with pytest.raises(BackendSilent):
            ledger.look()
        before = store.asked
        eventually("the thread to meet it twice", lambda: store.asked > before + 1, within_s=SOON_S)
        store.instead = None
        eventually("the receipts", lambda: ledger.effects == {"m1", "m2"}, within_s=SOON_S)
    assert told(tmp_path, "doubt") == []  # nothing stayed unseen


def test_a_final_look_at_what_is_not_as_promised_has_failed(tmp_path: Path) -> None:
    store = Store()
    store.instead = UNPROMISED[0]
    with recording(tmp_path, store) as ledger:
        look_everywhere(ledger, EmptyOutbox())
    looks = {each["what"]: each["ok"] for each in told(tmp_path, "looked")}
    assert looks == {"receipts": False, "dead_letters": False, "queues": False, "outbox": True}


def test_a_recorder_that_fails_leaves_a_doubt_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Depths that stop would else look like empty queues."""

    def depths(on: object) -> dict[str, int]:
        raise KeyError("depth")

    monkeypatch.setattr(amqp, "channel", lambda *_, **__: nullcontext())
    monkeypatch.setattr(amqp, "depths", depths)
    store = Store()
    with recording(tmp_path, store) as ledger:
        begin(ledger, "m1")
        with ledger:
            eventually("a doubt", lambda: told(tmp_path, "doubt"), within_s=SOON_S)
            store.receipts = [stored(1)]
            eventually("a receipt", lambda: ledger.effects, within_s=SOON_S)
    assert told(tmp_path, "doubt") == [{"detail": "the recorder failed: KeyError('depth')"}]
    result = audit(log.read(tmp_path / log.FILE))
    assert result.verdict is Verdict.UNKNOWN
    assert "the recorder failed" in result.finding(5).explanation


def test_a_disk_that_is_full_does_not_end_the_recorder_and_the_verdict_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    store = Store()
    with recording(tmp_path, store) as ledger:
        begin(ledger, "m1")
        with ledger:
            monkeypatch.setattr(os, "write", full)
            store.receipts = [stored(1)]
            before = store.asked
            eventually("the thread to look", lambda: store.asked > before + 1, within_s=SOON_S)
            monkeypatch.undo()
            with pytest.raises(log.HistoryError, match="earlier write failed"):
                ledger.look()
            assert ledger._thread.is_alive()
    assert audit(log.read(tmp_path / log.FILE)).verdict is Verdict.UNKNOWN


def following(path: Path) -> Journal:
    """A journal in a file of this machine."""
    return Journal(path.name, lambda offset: path.read_bytes()[offset:])


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "7",
        "{}",
        '{"event": "accepted"}',
        '{"event": "accepted", "message_id": "m1"}',
        '{"event": ["accepted"]}',
        '{"event": "accepted", "message_id": ["m1"], "way": "queue"}',
    ],
)
def test_a_line_of_a_journal_that_is_not_as_promised_is_a_doubt_and_the_next_is_read(
    line: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal-0.jsonl"
    good = json.dumps({"event": "accepted", "message_id": "m2", "way": "queue"})
    journal.write_text(f"{line}\n{good}\n")
    with recording(tmp_path, Store()) as ledger:
        ledger.follow(following(journal))
        ledger.look()
        ledger.look()
        assert "m2" in ledger.accepted
    (doubt,) = told(tmp_path, "doubt")
    assert "journal-0.jsonl" in doubt["detail"]


def test_a_line_that_a_crash_tore_is_no_doubt(tmp_path: Path) -> None:
    journal = tmp_path / "journal-0.jsonl"
    journal.write_text('{"event": "acce\n')
    with recording(tmp_path, Store()) as ledger:
        ledger.follow(following(journal))
        ledger.look()
    assert told(tmp_path, "doubt") == []


def test_receipts_that_vanished_while_nobody_looked_are_named_at_the_final_look(
    tmp_path: Path,
) -> None:
    """Gone, changed, and one that was put before those that had been read: all are seen."""
    store = Store(*(stored(number) for number in range(2, 9)))
    with recording(tmp_path, store) as ledger:
        begin(ledger, *(f"m{number}" for number in range(1, 9)))
        ledger.look()
        assert len(ledger.effects) == 7
        store.receipts = [stored(1), *store.receipts[:3], stored(5, "updated"), stored(8)]
        look_everywhere(ledger, EmptyOutbox())
        assert ledger.effects == {"m1", "m2", "m3", "m4", "m5", "m8"}
        assert ledger.waiting == {"m6", "m7"}
        look_everywhere(ledger, EmptyOutbox())
    gone = [(each["message_id"], each["changed"]) for each in told(tmp_path, "vanished")]
    assert gone[:3] == [("m5", True), ("m6", False), ("m7", False)]
    assert [each["message_id"] for each in told(tmp_path, "receipt")][-1] == "m1"
    result = audit(log.read(tmp_path / log.FILE))
    assert result.finding(2).verdict is Verdict.INVALID
    assert set(result.finding(2).examples) == {"m5", "m6", "m7"}
    assert {"m6", "m7"} == set(result.finding(1).examples)


def test_a_final_look_that_broke_off_calls_nothing_gone(tmp_path: Path) -> None:
    store = Store(*(stored(number) for number in range(1, 9)))
    with recording(tmp_path, store) as ledger:
        ledger.look()
        store.instead = UNPROMISED[0]
        with pytest.raises(BackendSilent):
            ledger.look_anew()
    assert told(tmp_path, "vanished") == []
