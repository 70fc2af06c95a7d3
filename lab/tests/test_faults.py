"""Each fault really bites, as seen from outside, and its cure really cures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pika.exceptions
import psutil
import psycopg
import pytest
import redis
import urllib3

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.experiment.plugin import staged
from lab.faults import registry
from lab.faults.broker import COPIES
from lab.substrates.abilities import Controllable
from lab.substrates.local import Local
from lab.substrates.local.ports import HOST
from lab.substrates.local.processes import children, is_alive, tree
from lab.substrates.local.service import name_of
from lab.substrates.plan import Link, Role
from lab.substrates.protocol import Log
from lab.wait import eventually, stopwatch
from system.contract.topology import DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE, PROCESS_QUEUE

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

SOON_S = 60.0
BRIEFLY_S = 1.0


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with staged(request, tmp_path_factory, {"relayed": frozenset(Link)}) as lab:
        yield lab


def _fails(call: Callable[[], object], *errors: type[Exception]) -> bool:
    try:
        call()
    except errors:
        return True
    return False


def _pid(lab: Lab, role: Role) -> int:
    assert isinstance(lab.substrate, Local)
    return next(each.pid for each in lab.substrate.processes() if each.name == name_of(role))


def _nobody_consumes(lab: Lab) -> bool:
    with amqp.channel(lab.endpoints.broker_urls["operator"]) as on:
        return not int(on.queue_declare(PROCESS_QUEUE, passive=True).method.consumer_count)


def _worker_stands_still(lab: Lab) -> bool:
    return {each.status() for each in tree(_pid(lab, Role.WORKER))} == {psutil.STATUS_STOPPED}


def _broker_is_silent(lab: Lab, user: str = "operator") -> bool:
    def knock() -> None:
        with amqp.channel(lab.endpoints.broker_urls[user], timeout_s=BRIEFLY_S):
            pass

    return _fails(knock, amqp.BrokerSilent)


def _results_are_silent(lab: Lab) -> bool:
    client = redis.Redis.from_url(lab.endpoints.results_url, socket_connect_timeout=BRIEFLY_S)
    try:
        return _fails(client.ping, redis.ConnectionError)
    finally:
        client.close()


def _database_is_silent(lab: Lab) -> bool:
    def knock() -> None:
        psycopg.connect(lab.endpoints.database_url, connect_timeout=2).close()

    return _fails(knock, psycopg.OperationalError)


def _writing_waits(lab: Lab) -> bool:
    def write() -> None:
        with psycopg.connect(lab.endpoints.database_url, connect_timeout=2) as connection:
            connection.execute(f"SET lock_timeout TO {round(BRIEFLY_S * 1000)}")
            connection.execute("LOCK TABLE matches IN ROW EXCLUSIVE MODE")

    return _fails(write, psycopg.errors.LockNotAvailable)


def _nothing_can_be_written(lab: Lab) -> bool:
    def write() -> None:
        with psycopg.connect(lab.endpoints.database_url, connect_timeout=2) as connection:
            connection.execute("UPDATE receipts SET effect = effect WHERE false")

    return _fails(write, psycopg.errors.DiskFull)


def _api_is_silent(lab: Lab) -> bool:
    url = f"{lab.endpoints.api_url}/healthz"
    return _fails(
        lambda: urllib3.request("GET", url, timeout=BRIEFLY_S, retries=False),
        urllib3.exceptions.HTTPError,
    )


def _answer_to_worker(lab: Lab) -> urllib3.BaseHTTPResponse:
    """What a worker is answered when it posts a message."""
    assert isinstance(lab.substrate, Local)
    return urllib3.request(
        "POST",
        f"http://{HOST}:{lab.substrate._up().way(name_of(Role.API), Link.WORKER_API)}/api/matches",
        json=[{"message_id": "never-stored", "match": {}}],
        headers={"Authorization": f"Bearer {lab.endpoints.api_token}"},
        timeout=SOON_S,
        retries=False,
    )


def _worker_is_refused(lab: Lab) -> bool:
    """Whether a worker is answered wrongly, while the API itself is well."""
    return _answer_to_worker(lab).status == 500 and not _api_is_silent(lab)


def _worker_is_lied_to(lab: Lab) -> bool:
    """Whether a worker is told that something is stored which breaks the contract."""
    (outcome,) = _answer_to_worker(lab).json()["outcomes"]
    return bool(outcome["effect"] == "created")


def _way_is_slow(lab: Lab) -> bool:
    with stopwatch() as seconds, amqp.channel(lab.endpoints.broker_urls["scraper"]):
        return seconds() > BRIEFLY_S


def _matches_are_unroutable(lab: Lab) -> bool:
    return _fails(lab.send, amqp.NotTaken)


def _dead_letters_are_unroutable(lab: Lab) -> bool:
    def give_up() -> None:
        with amqp.channel(lab.endpoints.broker_urls["admin"]) as on:
            on.confirm_delivery()
            amqp.send(on, b"", exchange=DEAD_LETTER_EXCHANGE, key=DEAD_LETTER_QUEUE, properties={})

    return _fails(give_up, amqp.NotTaken)


SCRAPERS = {"link": Link.SCRAPER_BROKER}
Seen = Callable[[Lab], bool]
BITES: dict[str, tuple[dict[str, Any], Seen]] = {
    "worker-killed": ({}, _nobody_consumes),
    "worker-parent-killed": ({}, _nobody_consumes),
    "worker-terminated": ({}, _nobody_consumes),
    "worker-paused": ({}, _worker_stands_still),
    "worker-slowed": ({"share": 0.5}, _worker_stands_still),
    "workers-gone": ({}, _nobody_consumes),
    "broker-killed": ({}, _broker_is_silent),
    "broker-leader-killed": ({}, _broker_is_silent),
    "broker-terminated": ({}, _broker_is_silent),
    "broker-paused": ({}, _broker_is_silent),
    "broker-memory-alarm": ({}, lambda lab: lab.endpoints.management.alarms() == ["memory"]),
    "broker-disk-alarm": ({}, lambda lab: lab.endpoints.management.alarms() == ["disk"]),
    "results-killed": ({}, _results_are_silent),
    "database-killed": ({}, _database_is_silent),
    "database-paused": ({}, _database_is_silent),
    "database-full": ({}, lambda lab: _nothing_can_be_written(lab) and not _api_is_silent(lab)),
    "matches-locked": ({}, lambda lab: _writing_waits(lab) and not _database_is_silent(lab)),
    "api-killed": ({}, _api_is_silent),
    "api-paused": ({}, _api_is_silent),
    "api-errs": ({}, _worker_is_refused),
    "api-lies": ({}, _worker_is_lied_to),
    "link-cut": (SCRAPERS, lambda lab: _broker_is_silent(lab, "scraper")),
    "broker-partitioned": (
        {},
        lambda lab: _broker_is_silent(lab, "scraper") and not _broker_is_silent(lab),
    ),
    "link-stalled": (SCRAPERS, lambda lab: _broker_is_silent(lab, "scraper")),
    "link-slowed": ({**SCRAPERS, "latency_s": 0.3}, _way_is_slow),
    "queue-unbound": ({}, _matches_are_unroutable),
    "dead-letter-route-away": ({}, _dead_letters_are_unroutable),
}
APART = {"worker-child-killed", "connections-closed", "link-half-open", "messages-doubled"}
"""These leave everything standing: what they do is seen in tests of their own."""


def _works(lab: Lab) -> None:
    """A match takes effect."""
    message = lab.send()
    eventually("it to take effect", lambda: message in lab.ledger.effects, within_s=SOON_S)


@pytest.mark.parametrize("name", BITES)
def test_it_bites_and_its_cure_cures(name: str, lab: Lab) -> None:
    parameters, seen = BITES[name]
    with lab.fault(name, **parameters):
        eventually(
            f"{name} to be seen",
            lambda: seen(lab),
            within_s=SOON_S,
            tolerate=(amqp.BrokerSilent,),
        )
    eventually(
        f"{name} to be over",
        lambda: not seen(lab),
        within_s=SOON_S,
        tolerate=(amqp.BrokerSilent,),
    )
    _works(lab)


def test_a_killed_child_is_replaced_by_its_worker(lab: Lab) -> None:
    pid = _pid(lab, Role.WORKER)
    before = {each.pid for each in children(pid)}
    with lab.fault("worker-child-killed"):
        eventually(
            "another child",
            lambda: len(now := {each.pid for each in children(pid)}) == 2 and now != before,
            within_s=SOON_S,
        )
    assert _pid(lab, Role.WORKER) == pid
    _works(lab)


def test_a_killed_parent_leaves_children_that_end_with_what_they_have_in_hand(lab: Lab) -> None:
    parent, was = _pid(lab, Role.WORKER), lab.substrate
    assert isinstance(was, Local)
    known = children(parent)
    was.pause(Role.API)
    try:
        message = lab.send()
        eventually("a child to have it in hand", lambda: _depth(lab) == 0, within_s=SOON_S)
        with lab.fault("worker-parent-killed"):
            assert any(map(is_alive, known))
            was.resume(Role.API)
            eventually(
                "the children to end", lambda: not any(map(is_alive, known)), within_s=SOON_S
            )
    finally:
        was.resume(Role.API)
    assert _pid(lab, Role.WORKER) != parent
    eventually("its effect", lambda: message in lab.ledger.effects, within_s=SOON_S)
    _works(lab)


def _depth(lab: Lab) -> int:
    return lab.ledger.depths()[PROCESS_QUEUE]


def test_closed_connections_come_back_as_others(lab: Lab) -> None:
    before = _connections(lab, "worker")
    assert before
    with lab.fault("connections-closed"):
        eventually(
            "the worker to come back",
            lambda: (now := _connections(lab, "worker")) and not now & before,
            within_s=SOON_S,
        )
    _works(lab)


def test_after_a_half_open_the_broker_still_counts_who_has_gone(lab: Lab) -> None:
    with amqp.channel(lab.endpoints.broker_urls["scraper"]) as on:
        (known,) = _connections(lab, "scraper")
        with lab.fault("link-half-open", link=Link.SCRAPER_BROKER):
            with pytest.raises(pika.exceptions.AMQPError):
                on.connection.process_data_events(time_limit=SOON_S)
            assert _connections(lab, "scraper") == {known}
        eventually(
            "the broker to notice", lambda: not _connections(lab, "scraper"), within_s=SOON_S
        )
    _works(lab)


def test_a_doubled_message_comes_twice_and_takes_effect_once(lab: Lab) -> None:
    (log,) = lab.substrate.logs(Role.WORKER)
    with lab.fault("messages-doubled"):
        message = lab.send()
        eventually("its effect", lambda: message in lab.ledger.effects, within_s=SOON_S)
        (effect,) = _deliveries(log, message)
    eventually(
        "its copy", lambda: _deliveries(log, message) == [effect, "duplicate"], within_s=SOON_S
    )
    assert effect != "duplicate"
    with (
        pytest.raises(pika.exceptions.AMQPError),
        amqp.channel(lab.endpoints.broker_urls["admin"]) as on,
    ):
        amqp.depth(on, COPIES)
    _works(lab)


def _deliveries(log: Log, message: str) -> list[str]:
    """What each delivery of a message did, by the worker's own word."""
    lines = (json.loads(line) for line in log.text().splitlines() if message in line)
    return [line["effect"] for line in lines if line["event"] == "applied"]


def _connections(lab: Lab, user: str) -> set[str]:
    """The connections of a user that the broker has now, by its own word."""
    assert isinstance(lab.substrate, Controllable)
    lines = lab.substrate.control_broker("list_connections", "pid", "user").splitlines()
    return {line.split("\t")[0] for line in lines if line.endswith(f"\t{user}")}


def test_each_fault_is_seen_to_bite() -> None:
    assert set(BITES) | APART == set(registry.known())
    assert not set(BITES) & APART
