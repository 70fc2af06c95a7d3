"""Load: how messages come is drawn beforehand, and each is on record before it is sent."""

from __future__ import annotations

import itertools
import random
import socket
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.clients import amqp
from lab.clients.backend import Backend
from lab.errors import CannotRun, LabError
from lab.experiment.lab import Lab
from lab.experiment.plugin import OpenLab
from lab.history import log
from lab.history.ledger import Ledger
from lab.substrates.local.relay import HOST
from lab.wait import eventually
from lab.workload import generator
from lab.workload.generator import PROFILES, Profile, arrivals, observation
from system.contract import match as contract

NOON = datetime(2025, 10, 18, 12, tzinfo=UTC)


def _dues(profile: Profile, seconds: float, seed: int = 1) -> list[float]:
    return list(
        itertools.takewhile(lambda due: due < seconds, arrivals(profile, random.Random(seed)))
    )


def test_arrivals_repeat_with_their_seed_and_never_go_back() -> None:
    once = _dues(PROFILES["burst"], 60)

    assert once == _dues(PROFILES["burst"], 60)
    assert once != _dues(PROFILES["burst"], 60, seed=2)
    assert once == sorted(once)


@pytest.mark.parametrize(("name", "per_s"), [("steady", 50), ("burst", 64), ("trickle", 2)])
def test_a_profile_offers_the_rate_that_it_names(name: str, per_s: float) -> None:
    assert len(_dues(PROFILES[name], 1000)) == pytest.approx(1000 * per_s, rel=0.1)


def test_a_burst_comes_in_a_fifth_of_the_time() -> None:
    dues = _dues(PROFILES["burst"], 500)
    by_second = Counter(int(due) % 5 for due in dues)

    assert by_second[0] > 0.9 * len(dues)
    assert min(by_second.values()) > 0


def test_observations_keep_the_contract_and_meet_the_same_matches_again() -> None:
    rng = random.Random(3)
    seen = [contract.parse(observation(rng, "a", NOON)) for _ in range(1000)]

    assert {each.observed_at for each in seen} == {NOON}
    assert 150 < len({each.identity for each in seen}) <= generator.MATCHES
    assert 600 < sum(each.home_score is not None for each in seen) < 800


def test_two_loads_share_no_match() -> None:
    first = {observation(random.Random(n), "a", NOON)["external_match_id"] for n in range(50)}
    second = {observation(random.Random(n), "b", NOON)["external_match_id"] for n in range(50)}

    assert not first & second


def test_a_load_that_cannot_keep_up_ends_with_its_block_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody takes anything, either; what was never sent is on record as refused."""
    monkeypatch.setattr(generator, "FLUSH_S", 0.0)
    monkeypatch.setitem(PROFILES, "flood", Profile("more than there is time for", ((1, 1e6),)))
    with socket.create_server((HOST, 0)) as taken:
        nobody = f"amqp://nobody:nothing@{HOST}:{taken.getsockname()[1]}/%2F"
    path = tmp_path / log.FILE
    with log.History(path) as record:
        ledger = Ledger(record, Backend("http://nowhere"), nobody)
        offer_load = generator.offer_load(
            "flood", "a", nobody, ledger, random.Random(1), lambda *_: None
        )
        with pytest.raises(LabError, match="refused"), offer_load:
            eventually("an attempt", lambda: ledger.attempted, within_s=20)

    assert len(ledger.attempted) < generator.BACKLOG_MAX / 2
    refused = {e.fields["message_id"] for e in log.read(path) if e.event == "refused"}
    assert refused == ledger.attempted


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_load_that_nobody_knows_is_refused(shared_lab: Lab) -> None:
    with (
        pytest.raises(CannotRun, match="no load 'flood'; there are: steady, burst, trickle"),
        shared_lab.load("flood"),
    ):
        pass


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(180)
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


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(180)
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


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(180)
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
