"""How long waiting may take is worked out from what may be waiting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.clients.amqp import WORK, BrokerSilent
from lab.clients.backend import Backend
from lab.clients.management import AGE_S, Management
from lab.experiment import settle as settling
from lab.experiment.settle import DEAD_LETTER_ROUTE_S, deadline_s, rest_s, settle
from lab.faults.residue import Residue, longest_retry_s
from lab.history import log
from lab.history.ledger import Ledger
from lab.history.log import History
from lab.tests.answers import answering
from system.contract.topology import PROCESS_QUEUE, RETRY_DELAYS_S

NOBODY = "amqp://nobody:nothing@127.0.0.1:1/%2F"
EMPTY = [{"name": queue, "messages": 0} for queue in WORK]
UNPROMISED: dict[str, Any] = {
    "a queue is missing": EMPTY[1:],
    "a queue has no count": [{"name": PROCESS_QUEUE}, *EMPTY[1:]],
    "a count is null": [{"name": PROCESS_QUEUE, "messages": None}, *EMPTY[1:]],
    "no queue is there": [],
    "no list": {"error": "not_authorised"},
    "no objects": [1, 2],
    "nothing": b"",
    "no JSON": b"<html>",
}


def test_more_messages_may_take_longer() -> None:
    assert deadline_s(10_000, Residue()) > deadline_s(10, Residue()) >= 30


def test_each_trouble_adds_the_time_that_it_can_cost() -> None:
    calm = deadline_s(0, Residue())
    assert deadline_s(0, Residue(retry_s=900)) == calm + 900
    assert deadline_s(0, Residue(reconnects=True)) > calm + 60
    assert deadline_s(0, Residue(dead_letter_route=True)) == calm + DEAD_LETTER_ROUTE_S


def test_a_dead_letter_route_that_was_away_hides_its_messages_for_three_minutes() -> None:
    assert rest_s(Residue(), AGE_S) < 30
    assert rest_s(Residue(dead_letter_route=True), AGE_S) > DEAD_LETTER_ROUTE_S


def test_after_a_longer_outage_a_message_may_be_on_a_later_step_of_the_ladder() -> None:
    assert longest_retry_s(0.5) == RETRY_DELAYS_S[0]
    assert longest_retry_s(4) == 5
    assert longest_retry_s(30) == 60
    assert longest_retry_s(10_000) == RETRY_DELAYS_S[-1]


def _none_ready(_ledger: Ledger) -> dict[str, int]:
    """What the queues themselves say, of which there are none here."""
    return dict.fromkeys(WORK, 0)


def _settled(answer: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is on record after settling with a message that nobody finds, and this management."""
    monkeypatch.setattr(settling, "deadline_s", lambda *_: 3.0)
    monkeypatch.setattr(settling, "rest_s", lambda *_: 0.5)
    monkeypatch.setattr(settling._Quiet, "EVERY_S", 0.1)
    monkeypatch.setattr(settling, "_all_ended", lambda ledger: False)
    monkeypatch.setattr(Ledger, "depths", _none_ready)
    with answering(lambda *_: answer) as url, History(folder / log.FILE) as record:
        ledger = Ledger(record, Backend(url), NOBODY)
        ledger.accept("m1", "queue")
        settled = settle(ledger, Management(url, NOBODY), Residue())
    (event,) = (each for each in log.read(folder / log.FILE) if each.event == "settled")
    assert event.truth("ok") == settled
    return dict(event.fields)


def test_what_is_in_no_queue_for_long_enough_is_not_on_its_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _settled(EMPTY, tmp_path, monkeypatch)
    assert (found["ok"], found["waiting"], found["detail"]) == (True, 1, "")


def test_a_queue_that_could_not_be_counted_meanwhile_has_not_been_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling._Quiet, "EVERY_S", 0.0)
    monkeypatch.setattr(Ledger, "depths", _none_ready)
    said: list[Any] = [EMPTY, EMPTY, [], EMPTY]
    with answering(lambda *_: said.pop(0)) as url, History(tmp_path / log.FILE) as record:
        quiet = settling._Quiet(Ledger(record, Backend(url), NOBODY), Management(url, NOBODY))
        assert quiet.seconds() == 0
        assert quiet.seconds() > 0
        with pytest.raises(BrokerSilent):
            quiet.seconds()
        failed = quiet._since
        assert quiet.seconds() > 0
        assert quiet._since == failed


@pytest.mark.parametrize("what", UNPROMISED)
def test_queues_that_nobody_has_counted_are_not_empty(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither do they end the run: it did not settle, and says why."""
    found = _settled(UNPROMISED[what], tmp_path, monkeypatch)
    assert (found["ok"], found["waiting"]) == (False, 1)
    assert "management" in found["detail"]


def test_the_queues_own_counts_are_asked_for_and_not_the_statistics() -> None:
    """Statistics are collected from these counts, and so some seconds older than `age_s` says."""
    asked: list[dict[str, str]] = []

    def answer(_path: str, query: dict[str, str]) -> Any:
        asked.append(query)
        return EMPTY

    with answering(answer) as url:
        assert Management(url, NOBODY).held(WORK) == 0
    (query,) = asked
    assert (query["disable_stats"], query["enable_queue_totals"]) == ("true", "true")


@pytest.mark.parametrize("about", [{}, {"messages_ready": 1}, {"messages_ready": "?"}, [], b"7"])
def test_one_queue_that_nobody_has_counted_is_an_error(about: Any) -> None:
    with answering(lambda *_: about) as url, pytest.raises(BrokerSilent, match="no count"):
        Management(url, NOBODY).queue(PROCESS_QUEUE)
