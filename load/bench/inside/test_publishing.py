"""What confirmed publishing costs in three ways: a connection, a wait, or a window for many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from system.contract.envelope import Envelope
from system.contract.topology import EXCHANGE
from system.messaging.publisher import Publisher
from system.tests.broker import envelopes, own_queue

Way = Callable[[str, str, list[Envelope]], None]
pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def url(shared_lab: Any) -> str:
    """The broker, as its administrator."""
    return str(shared_lab.endpoints.broker_urls["admin"])


@pytest.fixture
def queue(url: str) -> Iterator[str]:
    """A quorum queue, as the real ones are, for one benchmark."""
    with own_queue(url, **{"x-queue-type": "quorum"}) as name:
        yield name


def _checked(publisher: Publisher, sent: list[Envelope], queue: str) -> None:
    fates = publisher.publish(sent, exchange=EXCHANGE, key=queue, within_s=60)
    assert all(fate.outcome == "confirmed" for fate in fates)


def _connection_each(url: str, queue: str, sent: list[Envelope]) -> None:
    for each in sent:
        with Publisher(url) as publisher:
            _checked(publisher, [each], queue)


def _confirm_each(url: str, queue: str, sent: list[Envelope]) -> None:
    with Publisher(url) as publisher:
        for each in sent:
            _checked(publisher, [each], queue)


def _window(url: str, queue: str, sent: list[Envelope]) -> None:
    with Publisher(url) as publisher:
        _checked(publisher, sent, queue)


def _measure(benchmark: Any, way: Way, url: str, queue: str, count: int, rounds: int) -> None:
    sent = envelopes(count)
    benchmark.pedantic(way, args=(url, queue, sent), rounds=rounds, warmup_rounds=1)
    if benchmark.stats is not None:  # None where benchmarks are switched off
        benchmark.extra_info["messages_per_s"] = round(count / benchmark.stats.stats.min)


@pytest.mark.benchmark(group="300 messages confirmed by a quorum queue")
@pytest.mark.parametrize(
    "way",
    [_connection_each, _confirm_each, _window],
    ids=["a connection each", "a confirm each", "a window of 500"],
)
def test_a_few_messages_in_three_ways(benchmark: Any, url: str, queue: str, way: Way) -> None:
    """As a scraper's run."""
    _measure(benchmark, way, url, queue, 300, rounds=3)


@pytest.mark.benchmark(group="20,000 messages confirmed by a quorum queue")
def test_many_messages_through_the_window(benchmark: Any, url: str, queue: str) -> None:
    """As a load."""
    _measure(benchmark, _window, url, queue, 20_000, rounds=5)
