"""Loads whose workers come and go, and loads that another program drives and the lab judges."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lab.checker.check import Audit
from lab.checker.measures import LATENCY_MEAN
from lab.checker.verdict import Verdict
from lab.cli.app import app
from lab.errors import CannotRun
from lab.experiment.conduct import conducted
from lab.experiment.lab import Lab
from lab.experiment.observe import observe
from lab.experiment.plugin import OpenLab
from lab.history import log
from lab.history.journals import LOAD, JournalReader, JournalWriter, load_journal
from lab.substrates import registry
from lab.substrates.abilities import Measurable
from lab.wait import eventually
from lab.workload.generator import flush, offer
from lab.workload.observations import Message, attempt_of, messages
from lab.workload.profiles import Profile, find
from lab.workload.queue_sender import QueueSender

PLAN = {"workers": 1}
FEW = Profile("a few", ((1.0, 20.0),), lasts_s=1)


class _Driver:
    """Drives a load as Locust does: gives orders, and sends by the queue."""

    def __init__(self, lab: Lab, profile: Profile, *, leave_out: int = 0, dies: bool = False):
        self._lab, self._profile = lab, profile
        self._leave_out, self._dies = leave_out, dies
        self._sender = QueueSender(lab.endpoints.broker_urls["scraper"], self._accepted)
        self.said: list[dict[str, Any]] = []

    def orders(self) -> Iterator[str]:
        about = self.said[0]
        begin = time.time()
        yield json.dumps({"do": "begin", "at": begin, "shares": 1})
        load = list(messages(self._profile, about["series"], datetime.fromtimestamp(begin, UTC)))
        with JournalWriter(Path(about["folder"]), 0) as self._journal:
            offer(load[self._leave_out :], self._sender, self._attempt, lambda: False)
            flush(self._sender, 60)
        self._sender.close()
        if not self._dies:
            yield json.dumps({"do": "published"})
            yield json.dumps({"do": "finish"})

    def _attempt(self, message: Message) -> None:
        self._journal.write("attempted", **attempt_of(message), index=message.index)

    def _accepted(self, message: Message) -> None:
        self._journal.write("accepted", message_id=message.message_id, way="queue")


def _observed(driver: _Driver, lab: Lab, profile: Profile, folder: Path) -> Audit:
    place = registry.elsewhere(lab.endpoints)
    return observe(place, "few", profile, driver.orders(), driver.said.append, runs=folder)


def _seen(audit: Audit, name: str) -> Verdict:
    return next(check.verdict for check in audit.checks if check.name == name)


def test_a_journal_gives_back_what_was_written_and_whose_it_is(tmp_path: Path) -> None:
    reader = JournalReader()
    reader.follow(load_journal(tmp_path, 2))
    assert list(reader.read_on()) == []
    with JournalWriter(tmp_path, 2) as writer:
        writer.write("attempted", message_id="a", index=1)
        (first,) = reader.read_on()
        writer.write("accepted", message_id="a", way="queue")
    (second,) = reader.read_on()

    assert [entry["event"] for _, entry in (first, second)] == ["attempted", "accepted"]
    assert first[0].sender == LOAD
    with pytest.raises(FileExistsError):  # two senders with one share would hide each other
        JournalWriter(tmp_path, 2)


@pytest.mark.parametrize("wrong", ["soon", "0s", "-1s", ""])
def test_a_length_that_is_none_is_refused(wrong: str) -> None:
    done = CliRunner().invoke(app, ["load", "--profile", "steady", f"--for={wrong}"])

    assert isinstance(done.exception, CannotRun)
    assert "--for must be a time like 30s or 1m" in str(done.exception)


@pytest.mark.laboratory
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_that_are_held_back_come_when_everything_is_published(open_lab: OpenLab) -> None:
    lab = open_lab(**PLAN, objectives={LATENCY_MEAN: None})
    profile = Profile("some wait", at_once=30, lasts_s=30, held=True)
    with conducted(lab, profile) as conductor:
        with lab.load(profile) as load:
            assert load.over.wait(30)
        assert lab.ledger.depths()["matches.process"] == 30 == len(lab.ledger.accepted)
        assert not lab.ledger.effects
        conductor.published()
        eventually("all of it", lambda: not lab.ledger.waiting, within_s=60)
    audit = lab.audit()

    assert audit.valid, audit.why
    assert audit.counts.waiting == audit.counts.lost == 0


@pytest.mark.laboratory
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_come_and_go_as_a_profile_says_and_nothing_is_lost(open_lab: OpenLab) -> None:
    lab = open_lab(**PLAN)
    place = lab.substrate
    assert isinstance(place, Measurable)
    profile = Profile("a second one", ((1.0, 30.0),), lasts_s=600, workers=((0, 1), (1, 2)))
    with conducted(lab, profile) as conductor:
        conductor.begin(time.time())
        with lab.load(profile):
            eventually("the second worker", lambda: "worker-1" in place.memory(), within_s=60)
    assert "worker-1" not in place.memory()
    audit = lab.audit()

    assert audit.finding(1).verdict is Verdict.VALID
    events = log.read(lab.folder / log.FILE)
    assert [e.fields["count"] for e in events if e.event == "scaled"] == [1, 2, 1]


@pytest.mark.laboratory
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_load_that_another_program_drives_is_judged_by_its_journals(
    lab: Lab, tmp_path: Path
) -> None:
    driver = _Driver(lab, FEW)
    audit = _observed(driver, lab, FEW, tmp_path)

    assert audit.valid, audit.why
    assert audit.counts.accepted > 5
    assert _seen(audit, "the whole load was offered") is Verdict.VALID
    assert _seen(audit, "every stored match equals the season's truth") is Verdict.VALID
    assert driver.said[-1]["verdict"] == "valid"
    events = list(log.read(Path(driver.said[0]["folder"]) / log.FILE))
    assert {e.fields["sender"] for e in events if e.event == "attempted"} == {LOAD}


@pytest.mark.laboratory
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_load_that_was_not_offered_whole_has_shown_nothing(lab: Lab, tmp_path: Path) -> None:
    audit = _observed(_Driver(lab, FEW, leave_out=1), lab, FEW, tmp_path)

    assert audit.verdict is Verdict.UNKNOWN
    assert _seen(audit, "the whole load was offered") is Verdict.UNKNOWN


@pytest.mark.laboratory
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_program_that_dies_while_it_drives_a_load_leaves_a_verdict(
    lab: Lab, tmp_path: Path
) -> None:
    audit = _observed(_Driver(lab, FEW, dies=True), lab, FEW, tmp_path)

    assert audit.verdict is Verdict.UNKNOWN
    assert "the program that drove the load ended" in audit.why
    assert audit.counts.accepted > 5
    assert audit.counts.lost == 0


@pytest.mark.laboratory
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_elsewhere_cannot_be_scaled_and_orders_must_make_sense(
    lab: Lab, tmp_path: Path
) -> None:
    place = registry.elsewhere(lab.endpoints)
    with pytest.raises(CannotRun, match="'elsewhere' cannot scale"):
        observe(place, "scale", find("scale"), [], lambda _: None, runs=tmp_path)

    audit = observe(place, "few", FEW, ["what?"], lambda _: None, runs=tmp_path)
    assert audit.verdict is Verdict.UNKNOWN
    assert any("this is no order" in check.detail for check in audit.checks)
