"""What a publisher counts of what a real broker says."""

from __future__ import annotations

from typing import Any

import pytest

from system.contract.topology import EXCHANGE
from system.messaging.publisher import Publisher
from system.metrics.definitions import MetricFactory
from system.metrics.publishing import PublisherName, PublishMetrics
from system.metrics.tests.looking import told
from system.tests.broker import envelopes, own_queue

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]
WITHIN_S = 60.0


def test_every_message_is_counted_once_by_what_the_broker_said(shared_lab: Any) -> None:
    url = str(shared_lab.endpoints.broker_urls["admin"])
    factory = MetricFactory()
    metrics = PublishMetrics(factory, (PublisherName.SCRAPER,)).of(PublisherName.SCRAPER)
    full = {"x-max-length": 5, "x-overflow": "reject-publish"}
    with (
        own_queue(url) as queue,
        own_queue(url, **full) as small,
        Publisher(url, metrics=metrics) as publisher,
    ):
        publisher.publish(envelopes(700), exchange=EXCHANGE, key=queue, within_s=WITHIN_S)
        publisher.publish(envelopes(3), exchange=EXCHANGE, key="nobody's", within_s=WITHIN_S)
        taken = publisher.publish(envelopes(50), exchange=EXCHANGE, key=small, within_s=WITHIN_S)
    with Publisher(url.replace("admin:", "admin:wrong"), metrics=metrics) as stranger:
        stranger.publish(envelopes(2), exchange=EXCHANGE, key="k", within_s=WITHIN_S)
    fit = sum(fate.outcome == "confirmed" for fate in taken)
    found = told(factory)
    assert {
        outcome: found[f"published_total {outcome} scraper"]
        for outcome in ("confirmed", "returned", "nacked", "refused", "unknown")
    } == {
        "confirmed": 700 + fit,
        "returned": 3,
        "nacked": 50 - fit,
        "refused": 2,
        "unknown": 0,
    }
    assert found["publish_seconds_count scraper"] == 700 + fit
    assert 0 < found["publish_seconds_sum scraper"] < 700 * WITHIN_S
    assert found["publisher_unconfirmed scraper"] == 0


def test_what_is_on_its_way_shows_while_the_broker_is_silent(
    shared_lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(shared_lab.endpoints.broker_urls["admin"])
    factory = MetricFactory()
    metrics = PublishMetrics(factory, (PublisherName.SCRAPER,)).of(PublisherName.SCRAPER)
    seen: list[float] = []
    answered = Publisher.answered

    def watched(self: Publisher, method: Any) -> None:
        seen.append(told(factory)["publisher_unconfirmed scraper"])
        answered(self, method)

    monkeypatch.setattr(Publisher, "answered", watched)
    with own_queue(url) as queue, Publisher(url, window=7, metrics=metrics) as publisher:
        publisher.publish(envelopes(20), exchange=EXCHANGE, key=queue, within_s=WITHIN_S)
    assert seen[0] == 7
    assert told(factory)["publisher_unconfirmed scraper"] == 0
