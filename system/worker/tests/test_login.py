"""A worker whose login is refused: it says so now and then, goes on trying, and blames no message.

It reads the files of its secrets again, so nobody has to restart it. Real services; each test has a
worker of its own, and where it changes a password a user of its own.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from system.contract import envelope as wire
from system.contract.topology import PROCESS_QUEUE, VALIDATE_QUEUE
from system.tests.results import redis_with_password
from system.worker.tests import own_worker
from system.worker.tests.bench import Bench, a_match, until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

LOOK_S = 10.0
USER = "rotated-worker"
AT_ONCE_S = 15.0
"""Well within the pauses that a worker has reached that was refused a few times, and then some: the
machine may be busy."""


@pytest.fixture
def alone(bench: Bench) -> Iterator[Bench]:
    """The shared system without its own worker, and a user for one of the test's own."""
    management = bench.lab.endpoints.management
    bench.lab.substrate.terminate("worker")
    _set_password(bench, "first")
    management.allow_everything(USER)
    try:
        yield bench
    finally:
        management.call("DELETE", f"users/{USER}")
        bench.lab.substrate.start("worker")


def _set_password(bench: Bench, password: str) -> None:
    management = bench.lab.endpoints.management
    management.call("PUT", f"users/{USER}", {"password": password, "tags": ""})


def _url(bench: Bench, password: str) -> str:
    return f"amqp://{USER}:{password}@127.0.0.1:{urlsplit(bench.urls['worker']).port}/%2F"


class Given:
    """The files of a worker's secrets, and its other settings."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self._folder = folder
        self._settings = {"api_url": bench.lab.endpoints.api_url, "concurrency": "1"}
        self._secrets: dict[str, Path] = {}
        self.log = folder / "worker.log"
        self.put("broker_url", _url(bench, "first"))
        self.put("api_token", bench.lab.endpoints.api_token)

    def put(self, secret: str, value: str) -> None:
        """Write a secret into its file."""
        (self._folder / secret).write_text(value)
        self._secrets[f"{secret}_file"] = self._folder / secret

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """The worker, for the block."""
        with own_worker.running(self.log, **self._settings, **self._secrets) as process:
            yield process

    def failed(self) -> set[str]:
        """The messages that failed so far."""
        return {line["message_id"] for line in self.said("failed")}

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log about an event."""
        lines = self.log.read_text().splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in found if line["event"] == event]


@pytest.fixture
def given(alone: Bench, tmp_path: Path) -> Given:
    return Given(alone, tmp_path)


def _change_password(bench: Bench, password: str) -> None:
    """Let who is connected log in anew."""
    _set_password(bench, password)
    bench.lab.substrate.control_broker("close_all_user_connections", USER, "test")


def _begin(bench: Bench) -> None:
    """See the worker work."""
    bench.receipt(bench.send(a_match()))


@pytest.mark.faults
def test_a_wrong_password_costs_a_line_now_and_then_without_a_traceback(
    alone: Bench, given: Given
) -> None:
    with given.worker():
        _begin(alone)
        given.put("broker_url", _url(alone, "hush"))
        _change_password(alone, "second")
        until("the first refusal", lambda: "ACCESS_REFUSED" in given.log.read_text())
        before = len(given.log.read_text().splitlines())
        time.sleep(LOOK_S)  # a rate is what is measured
        said = given.log.read_text().splitlines()[before:]
    first, *_ = given.said("login refused")
    assert 1 <= len(said) <= 6, said
    assert not any("Traceback" in line for line in said)
    assert first["user"] == USER
    assert first["broker"] == f"127.0.0.1:{urlsplit(alone.urls['worker']).port}"
    assert "MISSING_TABLE_BROKER_URL" in first["todo"]
    assert "hush" not in given.log.read_text()


@pytest.mark.faults
def test_a_worker_that_waits_for_its_login_can_be_ended(alone: Bench, given: Given) -> None:
    with given.worker() as worker:
        _begin(alone)
        _change_password(alone, "second")
        until("some refusals", lambda: len(given.said("login refused")) >= 4)
        refusals = len(given.said("login refused"))
    # It ended by itself, and was not killed; nor did it try much longer, each time after a pause.
    assert worker.returncode == 0
    assert len(given.said("login refused")) <= refusals + 1


@pytest.mark.faults
def test_a_worker_consumes_as_soon_as_its_file_has_the_right_password(
    alone: Bench, given: Given
) -> None:
    with given.worker():
        _begin(alone)
        _change_password(alone, "second")
        until("some refusals", lambda: len(given.said("login refused")) >= 4)
        message_id = alone.send(a_match())
        given.put("broker_url", "amqp://worker:hush@127.0.0.1:no-port/")
        until("it to say so", lambda: given.said("the broker's address is none"))
        given.put("broker_url", _url(alone, "second"))
        begun = time.monotonic()
        alone.receipt(message_id)
        assert time.monotonic() - begun < AT_ONCE_S


def test_a_new_password_of_the_broker_costs_no_message(alone: Bench, given: Given) -> None:
    """The consumer logs in anew, and so do the pool's children, who send messages to wait."""
    with given.worker():
        _begin(alone)
        alone.lab.substrate.terminate("api")
        try:
            waiting = alone.send(a_match())  # a child has a connection of its own now
            until("it to wait", lambda: given.said("failed"))
            given.put("broker_url", _url(alone, "second"))
            _change_password(alone, "second")
            until("it to fail again", lambda: len(given.said("failed")) >= 2, within_s=60)
            more = alone.send(a_match())
            until(
                "that to fail", lambda: any(e["message_id"] == more for e in given.said("failed"))
            )
        finally:
            alone.lab.substrate.start("api")
        alone.receipt(waiting, within_s=60)
        alone.receipt(more, within_s=60)
    assert alone.letters() == []


@pytest.mark.faults
def test_a_child_whose_login_is_refused_makes_no_message_poison(alone: Bench, given: Given) -> None:
    """It cannot send the message to wait, so that comes again: not fifty times in a moment."""
    with given.worker():
        _begin(alone)
        _set_password(alone, "second")  # the consumer's connection stays open
        alone.lab.substrate.terminate("api")
        try:
            message_id = alone.send(a_match())
            until("it to fail", lambda: given.said("failed"))
            time.sleep(LOOK_S)  # what does not happen has to be waited for
            assert alone.letters() == []
            assert len(given.said("failed")) <= 3
        finally:
            alone.lab.substrate.start("api")
        given.put("broker_url", _url(alone, "second"))
        alone.receipt(message_id, within_s=60)
    assert alone.letters() == []


def test_a_token_that_is_refused_lets_messages_wait_until_the_file_has_another(
    alone: Bench, given: Given
) -> None:
    with given.worker():
        _begin(alone)
        given.put("api_token", "of-yesterday")
        ids = [alone.send(a_match()) for _ in range(5)]
        until("each to fail", lambda: len({e["message_id"] for e in given.said("failed")}) == 5)
        assert alone.letters() == []
        given.put("api_token", f"{alone.lab.endpoints.api_token}\nof-yesterday\n")
        for message_id in ids:
            alone.receipt(message_id, within_s=60)
    assert alone.letters() == []
    words = given.said("failed")[0]["error"]
    assert words.startswith("LoginRefused: ")
    assert "MISSING_TABLE_API_TOKEN" in words
    assert "of-yesterday" not in given.log.read_text()


def _asked(bench: Bench) -> str:
    asked = a_match(task=wire.VALIDATE_TASK)
    return bench.send(
        asked.with_headers({**asked.headers, "ignore_result": False}), key=VALIDATE_QUEUE
    )


@pytest.mark.faults
def test_a_new_password_of_redis_costs_no_answer(alone: Bench, given: Given) -> None:
    with redis_with_password("first") as port:
        given.put("result_url", f"redis://:first@127.0.0.1:{port}/0")
        results = redis.Redis(port=port, password="first", socket_timeout=30)

        def answer() -> None:
            message_id = _asked(alone)
            until("an answer", lambda: results.get(f"celery-task-meta-{message_id}"))

        with given.worker(), results:
            answer()
            results.config_set("requirepass", "second")
            given.put("result_url", f"redis://:second@127.0.0.1:{port}/0")
            answer()  # by the connection that is open
            results.client_kill_filter(_type="normal", skipme=True)
            answer()
    assert alone.letters() == []


@pytest.mark.faults
def test_a_wrong_password_of_redis_costs_an_answer_and_no_match(alone: Bench, given: Given) -> None:
    with redis_with_password("first") as port:
        given.put("result_url", f"redis://:first@127.0.0.1:{port}/0")
        with given.worker():
            _begin(alone)
            given.put("result_url", f"redis://:hush@127.0.0.1:{port}/0")
            _asked(alone)
            until(
                "the refusal", lambda: "invalid username-password" in given.log.read_text().lower()
            )
            alone.receipt(alone.send(a_match()))
    assert "hush" not in given.log.read_text()
    assert alone.depth(PROCESS_QUEUE) == 0
