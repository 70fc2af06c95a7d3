"""Deliveries over a real outbox, broker and backend, with each of them away in turn."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from system.client import BackendClient
from system.contract import match as contract
from system.contract.envelope import Envelope, wrap, wrap_arguments
from system.errors import OutboxFull
from system.messaging.publisher import Publisher
from system.metrics.definitions import MetricFactory
from system.metrics.tests.looking import told as shown
from system.scraper import delivery as deliveries
from system.scraper.delivery import Delivery, DeliveryResult, Mode
from system.scraper.metrics import ScraperMetrics
from system.scraper.outbox import Outbox
from system.scraper.tests.conftest import Scraper
from system.scraper.tests.test_breaker import Clock

BROKER, API = "broker", "api"


def good(count: int, first: int = 0) -> list[Envelope]:
    """Messages that the backend takes, with the ids d-00000 and so on."""
    return [
        wrap(
            contract.parse(
                {
                    "home_team": "NEFC",
                    "away_team": "Seacoast United",
                    "match_date": "2025-10-18",
                    "season": "2025-26",
                    "age_group": "U14",
                    "match_type": "League",
                    "league": "Homegrown",
                    "division": "Northeast",
                    "external_match_id": f"delivery-{number}",
                }
            ),
            message_id=f"d-{number:05}",
            published_at=datetime.now(UTC),
        )
        for number in range(first, first + count)
    ]


def bad(name: str) -> Envelope:
    """A message that breaks the contract."""
    return wrap_arguments(
        [{"home_team": "NEFC"}], {}, message_id=name, published_at=datetime.now(UTC)
    )


def told(results: Sequence[DeliveryResult]) -> list[tuple[str, str, str]]:
    return [(result.message_id, result.outcome.value, result.way) for result in results]


def ways(results: Sequence[DeliveryResult]) -> set[str]:
    return {result.way for result in results}


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite", limit=5) as outbox:
        yield outbox


@contextmanager
def api_of(lab: Any) -> Iterator[BackendClient]:
    with BackendClient(lab.endpoints.api_url, lab.endpoints.api_token) as client:
        yield client


@pytest.fixture
def nobody() -> Iterator[BackendClient]:
    """A client of a backend that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with BackendClient(f"http://127.0.0.1:{taken.getsockname()[1]}", "token") as client:
            yield client


@pytest.mark.services
def test_what_the_backend_refuses_is_kept_aside_with_its_reason_and_holds_up_nothing(
    shared_lab: Any, spool: Outbox
) -> None:
    noted: list[DeliveryResult] = []
    with api_of(shared_lab) as client:
        delivery = Delivery(Mode.HTTP, spool, None, client, note=noted.extend)
        assert told(delivery.deliver([bad("x"), bad("y")])) == [
            ("x", "refused", "http"),
            ("y", "refused", "http"),
        ]
        assert noted == []  # they are in the answer
        assert len(spool) == 0
        assert [each.message_id for each, _ in spool.refused()] == ["x", "y"]
        assert "match_date" in spool.refused()[0][1]
        assert delivery.drain() == []  # kept aside is not waiting

        spool.retry_refused()
        assert told(delivery.drain(chunk=1)) == [("x", "refused", "http"), ("y", "refused", "http")]
        assert told(noted) == [("x", "refused", "http"), ("y", "refused", "http")]
        assert [each.message_id for each, _ in spool.refused()] == ["x", "y"]


@pytest.mark.parametrize(("mode", "bypassed"), [(Mode.QUEUE, 3), (Mode.HTTP, 0)])
def test_what_should_go_by_the_queue_and_does_not_is_counted(
    spool: Outbox, nobody: BackendClient, mode: Mode, bypassed: int
) -> None:
    factory = MetricFactory()
    delivery = Delivery(mode, spool, None, nobody, metrics=ScraperMetrics(factory))
    assert ways(delivery.deliver(good(3))) == {"outbox"}
    counted = shown(factory)
    assert counted["accepted_total outbox"] == 3
    assert counted["queue_bypassed_total outbox"] == bypassed
    assert counted["queue_bypassed_total http"] == 0


def test_a_full_outbox_is_full_only_after_trying_to_make_room(
    spool: Outbox, nobody: BackendClient
) -> None:
    delivery = Delivery(Mode.HTTP, spool, None, nobody)
    assert ways(delivery.deliver(good(5))) == {"outbox"}
    with pytest.raises(OutboxFull, match="would hold 6"):
        delivery.deliver(good(1, first=5))
    assert [each.message_id for each in spool.head(10)] == [each.message_id for each in good(5)]


def test_a_way_that_failed_is_left_alone_and_then_tried_again(
    spool: Outbox, nobody: BackendClient
) -> None:
    clock = Clock()
    delivery = Delivery(Mode.HTTP, spool, None, nobody, clock=clock)
    details = []
    for number in range(5):
        if number == 4:
            clock.now = 10.0
        (result,) = delivery.deliver(good(1, first=number))
        details.append("no way was tried" in result.detail)
    assert details == [False, False, False, True, False]


def test_refused_messages_are_listed_and_put_back_by_the_command(
    tmp_path: Path, scraper: Scraper
) -> None:
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
        outbox.put([bad("x"), bad("y")])
        outbox.refuse({"x": "match_date is missing"})
    done = scraper(tmp_path, "refused")
    assert (done.returncode, done.stdout) == (0, "x  match_date is missing\n")
    listed = json.loads(scraper(tmp_path, "refused", "--json").stdout)
    assert listed == [
        {"message_id": "x", "reason": "match_date is missing", "match": {"home_team": "NEFC"}}
    ]
    assert scraper(tmp_path, "waiting").stdout == "1\n"
    assert "1 wait again" in scraper(tmp_path, "refused", "--retry").stderr
    assert scraper(tmp_path, "waiting").stdout == "2\n"


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(420)
def test_a_broker_that_dies_is_left_alone_and_taken_up_again_when_it_is_back(
    open_lab: Any, spool: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "CONFIRM_WITHIN_S", 60.0)
    lab, clock = open_lab(), Clock()
    noted: list[DeliveryResult] = []
    with api_of(lab) as client, Publisher(lab.endpoints.broker_urls["scraper"]) as publisher:
        delivery = Delivery(Mode.QUEUE, spool, publisher, client, note=noted.extend, clock=clock)
        assert ways(delivery.deliver(good(2))) == {"queue"}
        lab.substrate.kill(BROKER)
        monkeypatch.setattr(deliveries, "CONFIRM_WITHIN_S", 1.0)
        for number in range(3):  # these find out, and go the other way
            assert ways(delivery.deliver(good(1, first=10 + number))) == {"http"}
        lab.substrate.kill(API)
        monkeypatch.setattr(deliveries, "CONFIRM_WITHIN_S", 60.0)
        begun = time.monotonic()
        (result,) = delivery.deliver(good(1, first=20))  # the broker is not even asked
        assert time.monotonic() - begun < 30
        assert result.way == "outbox"
        lab.substrate.start(API)
        assert ways(delivery.drain()) == {"http"}  # the queue still rests

        lab.substrate.start(BROKER)
        assert ways(delivery.deliver(good(1, first=30))) == {"http"}
        clock.now = 10.0
        assert ways(delivery.deliver(good(1, first=31))) == {"queue"}

        spool.put(good(5, first=40))  # full, as an earlier run left it
        noted.clear()
        assert told(delivery.deliver(good(3, first=45))) == [
            (f"d-{number:05}", "accepted", "queue") for number in (45, 46, 47)
        ]
        assert told(noted) == [(f"d-{n:05}", "accepted", "queue") for n in range(40, 45)]
        assert len(spool) == 0


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(420)
def test_two_drains_at_once_send_everything_and_each_message_takes_effect_once(
    open_lab: Any, tmp_path: Path
) -> None:
    lab, path = open_lab(), tmp_path / "outbox.sqlite"
    sent = good(600)
    with Outbox(path) as outbox:
        outbox.put(sent)
    variables = {
        "MISSING_TABLE_BROKER_URL": lab.endpoints.broker_urls["scraper"],
        "MISSING_TABLE_OUTBOX": str(path),
    }
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MISSING_TABLE_")}
    drains = [
        subprocess.Popen(
            [sys.executable, "-m", "system.scraper", "drain", "--json"],
            env={**kept, **variables},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    results = [json.loads(each.communicate(timeout=150)[0]) for each in drains]
    assert [each.returncode for each in drains] == [0, 0]
    assert sum(each["accepted_by_way"].get("queue", 0) for each in results) >= 600
    with Outbox(path) as outbox:
        assert len(outbox) == 0
    wanted = {each.message_id for each in sent}
    deadline, pause = time.monotonic() + 60, threading.Event()
    while not wanted <= lab.ledger.effects and time.monotonic() < deadline:
        pause.wait(0.2)  # the ledger looks by itself
    assert wanted <= lab.ledger.effects
