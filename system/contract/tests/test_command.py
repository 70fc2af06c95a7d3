"""`python -m system.contract` on a real broker: what is taken away is named, and comes back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pika
import pytest
import urllib3

from system.contract import topology
from system.contract.topology import (
    ALTERNATE_EXCHANGE,
    DEAD_LETTER_EXCHANGE,
    EARLIER_SENDER,
    EXCHANGE,
    FANOUT_EXCHANGE,
    LEARN_QUEUE,
    PROCESS_QUEUE,
    RETRY_EXCHANGE,
    RETURNED_EXCHANGE,
    retry_queue,
)
from system.tests.broker import channel

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

PLAN = {"workers": 0}
ROOT = str(Path(__file__).parents[3])
RunPython = Callable[..., subprocess.CompletedProcess[str]]
ALL_THERE = "the broker holds the topology"


class Broker:
    """A broker whose topology is damaged on purpose, and the command that looks at it."""

    def __init__(self, lab: Any, run_python: RunPython) -> None:
        self._run_python = run_python
        self.amqp = str(lab.endpoints.broker_urls["admin"])
        parts = urlsplit(self.amqp)
        login, _, _ = parts.netloc.rpartition("@")
        self.login = login
        self.url = str(lab.endpoints.management_url).replace("://", f"://{login}@")

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        return self._run_python(
            "system.contract",
            command,
            env={
                **os.environ,
                "PYTHONPATH": ROOT,
                "MISSING_TABLE_MANAGEMENT_URL": self.url,
                **environment,
            },
        )

    def ask(self, method: str, path: str, body: Any = None) -> None:
        """Change the broker behind the command's back; `%2F` is its virtual host."""
        parts = urlsplit(self.url)
        response = urllib3.request(
            method,
            f"{parts.scheme}://{parts.hostname}:{parts.port}/api/{path}",
            headers=urllib3.make_headers(basic_auth=self.login),
            json=body,
            timeout=30,
            retries=False,
        )
        assert response.status < 400, response.data


@pytest.fixture
def broker(lab: Any, run_python: RunPython) -> Iterator[Broker]:
    """A broker that holds the topology, also afterwards."""
    damaged = Broker(lab, run_python)
    yield damaged
    assert damaged.run("apply").returncode == 0


def _delete(broker: Broker, part: str, name: str) -> None:
    broker.ask("DELETE", f"{part}/%2F/{quote(name, safe='')}")


def _unbind(broker: Broker, queue: str, exchange: str, key: str) -> None:
    with channel(broker.amqp) as on:
        on.queue_unbind(queue, exchange, key)


def _stop_returns(broker: Broker) -> None:
    with channel(broker.amqp) as on:
        on.exchange_unbind(
            RETURNED_EXCHANGE, ALTERNATE_EXCHANGE, "", {"x-match": "all", **topology.RETURN_MARK}
        )


def _policy(broker: Broker, name: str, pattern: str, priority: int, **definition: Any) -> None:
    broker.ask(
        "PUT",
        f"policies/%2F/{name}",
        {"pattern": pattern, "apply-to": "queues", "priority": priority, "definition": definition},
    )


def _allow(broker: Broker, user: str, write: str) -> None:
    body = {"configure": "^$", "write": write, "read": "^$"}
    broker.ask("PUT", f"permissions/%2F/{user}", body)


DAMAGE: dict[str, tuple[Any, list[str]]] = {
    "a queue": (
        lambda b: _delete(b, "queues", LEARN_QUEUE),
        [
            "queue matches.learn is missing",
            "binding from exchange matches to queue matches.learn by key 'matches.learn'",
        ],
    ),
    "a queue of retries": (
        lambda b: _delete(b, "queues", retry_queue(5)),
        [f"queue {retry_queue(5)} is missing", "is missing"],
    ),
    "a binding": (
        lambda b: _unbind(b, PROCESS_QUEUE, EXCHANGE, PROCESS_QUEUE),
        ["binding from exchange matches to queue matches.process by key"],
    ),
    "the binding of the earlier sender": (
        lambda b: _unbind(b, PROCESS_QUEUE, FANOUT_EXCHANGE, ""),
        ["binding from exchange matches-fanout to queue matches.process by key '' is missing"],
    ),
    "the binding that lets messages be returned": (
        _stop_returns,
        [
            "binding from exchange matches.alternate to exchange matches.returned",
            '"x-match": "all"',
        ],
    ),
    "an exchange": (
        lambda b: _delete(b, "exchanges", DEAD_LETTER_EXCHANGE),
        ["exchange matches.dead-letter is missing", "to queue matches.dead-letter by key '#'"],
    ),
    "a policy": (
        lambda b: _delete(b, "policies", PROCESS_QUEUE),
        ["policy matches.process is missing"],
    ),
    "the policy of an alternate exchange": (
        lambda b: _delete(b, "policies", f"{FANOUT_EXCHANGE}.alternate"),
        ["policy matches-fanout.alternate is missing"],
    ),
    "the limit in a policy": (
        lambda b: _policy(b, LEARN_QUEUE, "^matches[.]learn$", 1, **{"max-length": 5}),
        ["policy matches.learn was changed", "max-length is 5 and must be 1000000"],
    ),
    "permissions": (
        lambda b: _allow(b, "scraper", ".*"),
        ["user scraper has other permissions: write is '.*' and must be '^matches$'"],
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_gone_is_named_and_comes_back_by_one_command(what: str, broker: Broker) -> None:
    damage, words = DAMAGE[what]
    damage(broker)
    looked = broker.run("check")
    assert looked.returncode == 1, looked
    assert all(each in looked.stdout for each in words), looked.stdout
    applied = broker.run("apply")
    assert applied.returncode == 0, applied
    assert all(each in applied.stdout for each in words), applied.stdout
    assert broker.run("check").returncode == 0
    again = broker.run("apply")
    assert again.returncode == 0
    assert again.stdout.startswith(ALL_THERE)  # nothing was left to repair


def test_a_queue_of_another_kind_is_named_and_left_alone(broker: Broker) -> None:
    _delete(broker, "queues", LEARN_QUEUE)
    with channel(broker.amqp) as on:
        on.queue_declare(LEARN_QUEUE, durable=True)
        on.basic_publish("", LEARN_QUEUE, b"kept", pika.BasicProperties(delivery_mode=2))
    try:
        for command in ("check", "apply"):
            said = broker.run(command)
            assert said.returncode == 1
            assert "queue matches.learn is of another kind" in said.stdout
            assert "x-queue-type is not set and must be 'quorum'" in said.stdout
            assert "move its messages first" in said.stdout
        with channel(broker.amqp) as on:
            assert on.queue_declare(LEARN_QUEUE, passive=True).method.message_count == 1
    finally:
        _delete(broker, "queues", LEARN_QUEUE)


def test_an_exchange_of_another_kind_is_named(broker: Broker) -> None:
    _delete(broker, "exchanges", RETRY_EXCHANGE)
    with channel(broker.amqp) as on:
        on.exchange_declare(RETRY_EXCHANGE, "direct", durable=True)
    try:
        said = broker.run("apply")
        assert said.returncode == 1
        assert "type is 'direct' and must be 'topic'" in said.stdout
    finally:
        _delete(broker, "exchanges", RETRY_EXCHANGE)


def test_a_policy_that_comes_before_ours_is_named(broker: Broker) -> None:
    _policy(broker, "mine", "^matches", 9, **{"max-length": 7})
    try:
        said = broker.run("check")
        assert said.returncode == 1
        assert "policy 'mine' is applied to queue matches.process instead of" in said.stdout
    finally:
        _delete(broker, "policies", "mine")


def test_a_queue_that_keeps_what_publishers_ask_back_is_named(broker: Broker) -> None:
    with channel(broker.amqp) as on:
        on.queue_bind(LEARN_QUEUE, RETURNED_EXCHANGE, "")
        try:
            said = broker.run("check")
            assert said.returncode == 1
            assert "exchange matches.returned is bound to matches.learn" in said.stdout
        finally:
            on.queue_unbind(LEARN_QUEUE, RETURNED_EXCHANGE, "")


def test_a_user_that_is_missing_is_named_if_every_deployment_needs_it(broker: Broker) -> None:
    broker.ask("DELETE", f"users/{EARLIER_SENDER}")
    assert broker.run("check").returncode == 0
    broker.ask("DELETE", "users/operator")
    try:
        said = broker.run("apply")
        assert said.returncode == 1
        assert "user operator is missing. Its password is not known here" in said.stdout
    finally:
        broker.ask("PUT", "users/operator", {"password": "x", "tags": "monitoring"})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", "must be like http://user:password@host:15672"),
        ("http://admin:secret@127.0.0.1:1", "the broker's management, http://127.0.0.1:1/api/"),
    ],
)
def test_what_could_not_be_looked_at_is_not_called_right(
    url: str, words: str, broker: Broker
) -> None:
    said = broker.run("check", MISSING_TABLE_MANAGEMENT_URL=url)
    assert said.returncode == 2
    assert words in said.stderr
    assert "secret" not in said.stderr + said.stdout


def test_a_wrong_password_or_a_user_without_the_rights_is_said(lab: Any, broker: Broker) -> None:
    operator = urlsplit(str(lab.endpoints.broker_urls["operator"])).netloc.rpartition("@")[0]
    for login in (broker.login + "wrong", operator):
        url = broker.url.replace(broker.login, login)
        said = broker.run("check", MISSING_TABLE_MANAGEMENT_URL=url)
        assert said.returncode == 2
        assert "needs a user with the tag administrator" in said.stderr
        assert login not in said.stderr
