"""Ways in which a load ends otherwise than by itself, each with a verdict and a true exit code."""

from __future__ import annotations

import signal
import socket
from functools import partial
from pathlib import Path

import pytest
import urllib3

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.substrates.abilities import Pausable
from lab.substrates.plan import Role
from lab.wait import eventually
from load.tests.running import Locust
from system.contract.topology import PROCESS_QUEUE

PLAN = {"workers": 1}
pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.load,
    pytest.mark.timeout(600),
]
BEGIN_WITHIN_S = 60.0
HOST = "127.0.0.1"


@pytest.fixture
def locust(lab: Lab, tmp_path: Path) -> Locust:
    """Locust in an empty folder."""
    return Locust(tmp_path, lab)


def _is_new(locust: Locust, seen: set[Path]) -> bool:
    return bool(locust.records() - seen)


def test_a_load_that_lost_messages_fails_though_it_kept_its_budgets(
    lab: Lab, locust: Locust
) -> None:
    place = lab.substrate
    assert isinstance(place, Pausable)
    with locust.started("--headless", "--seconds", "4") as process:
        eventually("some load", lambda: locust.accepted() > 10, within_s=BEGIN_WITHIN_S)
        place.pause(Role.WORKER)
        try:
            with amqp.channel(lab.endpoints.broker_urls["admin"]) as on:
                eventually(
                    "messages to wait", lambda: amqp.depth(on, PROCESS_QUEUE) > 5, within_s=20
                )
                on.queue_purge(PROCESS_QUEUE)
        finally:
            place.resume(Role.WORKER)
        _, said = process.communicate(timeout=240)

    assert process.returncode == 1, said
    found = locust.left("budgets.json")
    assert (found["budgets_verdict"], found["audit"]) == ("valid", "invalid")
    assert locust.left("verdict.json")["counts"]["lost"] > 5


def test_a_load_that_is_interrupted_is_judged_by_what_it_sent(locust: Locust) -> None:
    with locust.started("--headless", "--seconds", "60") as process:
        eventually("some load", lambda: locust.accepted() > 10, within_s=BEGIN_WITHIN_S)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=240)

    assert process.returncode == 0, said
    assert locust.left("verdict.json")["verdict"] == "valid"
    assert locust.left("verdict.json")["counts"]["accepted"] > 10


def test_a_load_can_be_started_twice_and_stopped_from_the_web_page(locust: Locust) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    page = f"http://{HOST}:{port}"
    with locust.started("--seconds", "60", "--web-host", HOST, "--web-port", str(port)) as process:
        eventually(
            "the page",
            lambda: urllib3.request("GET", page, retries=False, timeout=5).status == 200,
            within_s=BEGIN_WITHIN_S,
            tolerate=(urllib3.exceptions.HTTPError,),
        )
        for _ in range(2):
            seen = locust.records()
            urllib3.request("POST", f"{page}/swarm", fields={"user_count": "1"}, timeout=60)
            eventually("a new record", partial(_is_new, locust, seen), within_s=BEGIN_WITHIN_S)
            eventually("some load", lambda: locust.accepted() > 10, within_s=BEGIN_WITHIN_S)
            urllib3.request("POST", f"{page}/stop", retries=False, timeout=240)
            assert locust.left("verdict.json")["verdict"] == "valid"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
