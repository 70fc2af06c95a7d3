"""Asking a broker again and again costs one connection, and outlasts the loss of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from lab.clients import amqp
from lab.clients.amqp import BrokerSilent, Watcher
from lab.experiment.lab import Lab

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


@pytest.fixture
def watcher(shared_lab: Lab) -> Iterator[Watcher]:
    """One that asks the broker of the shared lab."""
    with closing(Watcher(shared_lab.endpoints.broker_urls["operator"])) as made:
        yield made


def _connection(on: BlockingChannel) -> Any:
    return on.connection


def test_one_connection_serves_every_question(watcher: Watcher) -> None:
    first = watcher.ask(_connection)
    assert watcher.ask(amqp.depths).keys() == set(amqp.WATCHED)
    assert watcher.ask(_connection) is first
    watcher.close()
    assert first.is_closed


def test_a_connection_that_was_lost_is_opened_anew(watcher: Watcher) -> None:
    first = watcher.ask(_connection)
    first.close()
    assert watcher.ask(amqp.depths).keys() == set(amqp.WATCHED)
    assert watcher.ask(_connection) is not first


def test_a_question_about_a_queue_that_is_not_there_spoils_no_other(watcher: Watcher) -> None:
    with pytest.raises(AMQPError, match="NOT_FOUND"):
        watcher.ask(lambda on: amqp.depth(on, "nowhere"))
    assert watcher.ask(amqp.depths).keys() == set(amqp.WATCHED)


def test_without_a_broker_the_question_fails() -> None:
    with pytest.raises(BrokerSilent):
        Watcher("amqp://nobody:nothing@127.0.0.1:1").ask(amqp.depths)
