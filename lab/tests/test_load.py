"""Load: how messages come is drawn beforehand, and each is on record before it is sent."""

from __future__ import annotations

import itertools
import random
import socket
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.clients import amqp
from lab.clients.backend import Backend
from lab.errors import CannotRun, LabError
from lab.experiment.plugin import OpenLab
from lab.history import log
from lab.history.ledger import Ledger
from lab.substrates.relay import HOST
from lab.wait import eventually
from lab.workload import generator
from lab.workload.observations import Message, Share, messages, observation
from lab.workload.profiles import PROFILES, Profile, arrivals, find, planned
from system.contract import match as contract
from system.contract import observation as contract_observation

NOON = datetime(2025, 10, 18, 12, tzinfo=UTC)


def _dues(profile: Profile, seconds: float, seed: int = 1) -> list[float]:
    return list(
        itertools.takewhile(lambda due: due < seconds, arrivals(profile, random.Random(seed)))
    )


def test_arrivals_repeat_with_their_seed_and_never_go_back() -> None:
    once = _dues(PROFILES["pages"], 60)

    assert once == _dues(PROFILES["pages"], 60)
    assert once != _dues(PROFILES["pages"], 60, seed=2)
    assert once == sorted(once)


@pytest.mark.parametrize(("name", "per_s"), [("steady", 50), ("pages", 64), ("trickle", 2)])
def test_a_profile_offers_the_rate_that_it_names(name: str, per_s: float) -> None:
    assert len(_dues(PROFILES[name], 1000)) == pytest.approx(1000 * per_s, rel=0.1)


def test_most_pages_come_in_a_fifth_of_the_time() -> None:
    dues = _dues(PROFILES["pages"], 500)
    by_second = Counter(int(due) % 5 for due in dues)

    assert by_second[0] > 0.9 * len(dues)
    assert min(by_second.values()) > 0


def test_observations_keep_the_contract_and_meet_the_same_matches_again() -> None:
    rng = random.Random(3)
    seen = [contract.parse(observation(rng, "a", NOON)) for _ in range(1000)]

    assert {each.observed_at for each in seen} == {NOON}
    assert 150 < len({each.identity for each in seen}) <= 200
    assert 600 < sum(each.home_score is not None for each in seen) < 800


@pytest.mark.parametrize("hour", range(0, 24, 2))
def test_what_a_load_calls_completed_is_over_at_every_hour(hour: int) -> None:
    """In UTC it is the next day already while the league still plays on the last one."""
    rng = random.Random(5)
    due = NOON.replace(hour=hour)
    for _ in range(2000):
        payload = observation(rng, "a", due, matches=1)  # of the last day
        read = contract_observation.read(payload, published_at=None, arrived_at=due)
        assert read.match.match_status == payload["match_status"], payload


def test_no_team_of_a_load_plays_twice_on_a_day() -> None:
    rng = random.Random(4)
    seen = [contract.parse(observation(rng, "a", NOON, 10_000)) for _ in range(2000)]

    games = {(each.home_team, each.match_date): each.identity for each in seen}
    assert len(games) == len({each.identity for each in seen})


def test_messages_that_come_at_once_are_all_due_at_the_beginning() -> None:
    dues = _dues(PROFILES["burst"], 60)

    assert len(dues) == 4040 == planned(PROFILES["burst"], "a")
    assert set(dues) == {0.0}


def test_a_profile_with_an_end_has_nothing_due_after_it() -> None:
    dues = _dues(PROFILES["spike"], 1000)
    by_phase = Counter("peak" if 20 <= due < 30 else "rest" for due in dues)

    assert max(dues) < 60
    assert by_phase["peak"] == pytest.approx(5000, rel=0.1)
    assert by_phase["rest"] == pytest.approx(2500, rel=0.1)
    assert max(_dues(PROFILES["steady"].lasting(3), 1000)) < 3
    assert max(_dues(PROFILES["spike"].lasting(300), 1000)) < 60


def test_a_profile_without_rates_and_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an end"):
        Profile("nothing")


def test_the_shares_of_a_load_are_the_whole_load_however_many_there_are() -> None:
    profile = PROFILES["steady"].lasting(5)
    whole = list(messages(profile, "a", NOON))
    shared = [each for n in range(3) for each in messages(profile, "a", NOON, Share(n, 3))]

    assert sorted(shared, key=lambda each: each.index) == whole
    assert len(whole) == planned(profile, "a") > 200
    assert len({each.message_id for each in whole}) == len(whole)
    assert [each.message_id for each in whole] != [
        each.message_id for each in messages(profile, "b", NOON)
    ][: len(whole)]


def test_a_load_that_nobody_knows_is_refused() -> None:
    with pytest.raises(CannotRun, match="no load 'flood'; there are: steady, pages, trickle"):
        find("flood")


def test_two_loads_share_no_match() -> None:
    first = {observation(random.Random(n), "a", NOON)["external_match_id"] for n in range(50)}
    second = {observation(random.Random(n), "b", NOON)["external_match_id"] for n in range(50)}

    assert not first & second


class _Stalling:
    """A sender that stalls once, as one does whose broker says nothing."""

    STALL_S = 0.3
    pending = 0
    trouble = ""

    def __init__(self) -> None:
        self.sent: list[tuple[datetime, datetime]] = []
        self._stalled = False

    def send(self, message: Message) -> None:
        self.sent.append((message.due, datetime.now(UTC)))

    def work(self, for_s: float) -> None:
        # On a busy machine several are sent at once, so ten may never be seen.
        stall = not self._stalled and len(self.sent) >= 10
        self._stalled |= stall
        time.sleep(self.STALL_S if stall else for_s)

    def left(self) -> list[tuple[Message, bool]]:
        return []

    def close(self) -> None:
        pass


def test_a_sender_that_stalls_gets_the_same_load_and_is_late_with_all_that_was_due() -> None:
    """Otherwise a slow system would be measured least while it is slow: coordinated omission."""
    profile = Profile("a second", ((1.0, 100.0),), lasts_s=0.8)
    sender = _Stalling()
    begun = datetime.now(UTC)
    load = list(messages(profile, "a", begun))
    assert generator.offer(load, sender, lambda _: None, lambda: False)

    assert [due for due, _ in sender.sent] == [message.due for message in load]
    late = [at - due for due, at in sender.sent if at - due > timedelta(seconds=0.1)]
    assert len(late) > 10  # all that were due early in the stall, not only the one that met it
    assert all(at >= due for due, at in sender.sent)


class _Noting:
    """A sender that notes how much of a load had been made when each message was sent.

    It is the clock, too: time passes while it works.
    """

    pending = 0
    trouble = ""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOON.timestamp()
        monkeypatch.setattr(generator, "time", self)
        self.made = 0
        self.sent: list[Message] = []
        self.made_by_then: list[int] = []

    def count(self, load: Iterable[Message]) -> Iterator[Message]:
        for message in load:
            self.made += 1
            yield message

    def send(self, message: Message) -> None:
        self.sent.append(message)
        self.made_by_then.append(self.made)

    def work(self, for_s: float) -> None:
        self.now += max(for_s, 0.001)

    def time(self) -> float:
        return self.now

    monotonic = time

    def left(self) -> list[tuple[Message, bool]]:
        return []

    def close(self) -> None:
        pass


def test_a_burst_is_made_before_it_is_due_but_no_more_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generator, "AHEAD_MAX", 30)
    sender = _Noting(monkeypatch)
    load = list(messages(find("burst"), "a", NOON + timedelta(seconds=1)))[:100]
    assert generator.offer(sender.count(load), sender, lambda _: None, lambda: False)

    assert sender.sent == load
    # The first one is at hand, and the rest of them behind it.
    assert sender.made_by_then == [max(31, sent) for sent in range(1, 101)]


def test_nothing_is_made_ahead_while_the_next_message_is_nearly_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sender = _Noting(monkeypatch)
    begun = NOON + timedelta(seconds=generator.SPARE_S / 2)
    load = list(messages(Profile("steady", ((0.2, 400.0),), lasts_s=0.2), "a", begun))
    assert generator.offer(sender.count(load), sender, lambda _: None, lambda: False)

    assert sender.sent == load
    assert sender.made_by_then[0] == 1


def test_a_load_that_cannot_keep_up_ends_with_its_block_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes anything, either; what was never sent is on record as refused."""
    monkeypatch.setattr(generator, "FLUSH_S", 0.0)
    # Not what ends it: far more than is attempted while this thread waits for its turn.
    monkeypatch.setattr(generator, "BACKLOG_MAX", 200_000)
    flood = Profile("more than there is time for", ((1, 1e6),))
    with socket.create_server((HOST, 0)) as taken:
        nobody = f"amqp://nobody:nothing@{HOST}:{taken.getsockname()[1]}/%2F"
    path = tmp_path / log.FILE
    with log.History(path) as record:
        ledger = Ledger(record, Backend("http://nowhere"), nobody)
        offer_load = generator.offer_load(flood, "a", nobody, ledger, lambda *_: None)
        with pytest.raises(LabError, match="refused"), offer_load:
            eventually("an attempt", lambda: ledger.attempted, within_s=60)

    assert len(ledger.attempted) < generator.BACKLOG_MAX / 2
    refused = {e.fields["message_id"] for e in log.read(path) if e.event == "refused"}
    assert refused == ledger.attempted


@pytest.mark.laboratory
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_attempt_is_on_record_before_its_confirm_and_ends_in_the_store(
    open_lab: OpenLab,
) -> None:
    lab = open_lab()
    with lab.load("steady"):
        eventually("some load", lambda: len(lab.ledger.attempted) > 90, within_s=30)
    assert lab.settle()

    events = list(log.read(lab.folder / log.FILE))
    attempted = {e.fields["message_id"]: e.line for e in events if e.event == "attempted"}
    accepted = {e.fields["message_id"]: e.line for e in events if e.event == "accepted"}
    effects = {e.fields["message_id"] for e in events if e.event == "receipt"}
    assert accepted.keys() == attempted.keys() == effects
    assert all(attempted[each] < line for each, line in accepted.items())


@pytest.mark.laboratory
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_while_the_broker_is_away_attempts_go_on_and_are_made_up_for(open_lab: OpenLab) -> None:
    lab = open_lab()
    with lab.load("steady"):
        eventually("the first confirm", lambda: lab.ledger.accepted, within_s=20)
        with lab.fault("broker-killed"):
            before = len(lab.ledger.attempted)
            eventually(
                "attempts to go on", lambda: len(lab.ledger.attempted) > before + 90, within_s=30
            )
            with pytest.raises(amqp.BrokerSilent):
                lab.ledger.depths()
    assert lab.ledger.accepted == lab.ledger.attempted


@pytest.mark.laboratory
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_load_that_never_gets_through_says_so_and_what_is_known_of_each_message(
    open_lab: OpenLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "FLUSH_S", 1.0)
    lab = open_lab()
    with (
        lab.fault("queue-unbound"),
        pytest.raises(LabError, match="trouble: unroutable"),
        lab.load("trickle"),
    ):
        eventually("an attempt", lambda: lab.ledger.attempted, within_s=20)
    assert lab.ledger.accepted == set()

    events = list(log.read(lab.folder / log.FILE))
    known = {e.fields["message_id"] for e in events if e.event in ("refused", "unknown")}
    assert known == lab.ledger.attempted
