"""Waiting for alerts to arrive, as somebody who is on call does, and making them have a reason."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pika

from lab.clients import amqp
from lab.clients.prometheus.client import NoData, Prometheus
from lab.clients.webhook import Webhook
from lab.experiment.lab import PLAIN_MATCH, Lab
from lab.wait import eventually
from system.contract import envelope as wire
from system.contract import match as contract
from system.contract.topology import EXCHANGE, PROCESS_QUEUE

ARRIVES_WITHIN_S = 90.0
FIRING, RESOLVED = "firing", "resolved"


class Bell:
    """Listens for alerts; tells after how many seconds, from its making, each arrived.

    Args:
        webhook: where Alertmanager sends them.
        always: counts what arrived before it was made, too.
    """

    def __init__(self, webhook: Webhook, *, always: bool = False) -> None:
        self._webhook = webhook
        self._since = None if always else datetime.now(UTC)

    def rings(self, *names: str, within_s: float = ARRIVES_WITHIN_S) -> dict[str, str]:
        """Wait until each of the alerts has arrived; when that was, by name.

        Raises:
            NotWithin: one did not; says which have.
        """
        return self._wait(FIRING, names, within_s)

    def falls_silent(self, *names: str, within_s: float = ARRIVES_WITHIN_S) -> dict[str, str]:
        """Wait until the end of each alert has been told after this moment; when that was, by name.

        Raises:
            NotWithin: one goes on; says which have ended.
        """
        return self._wait(RESOLVED, names, within_s)

    def heard(self, name: str) -> bool:
        """Whether the alert has arrived."""
        return bool(self._webhook.told(name, FIRING, self._since))

    def _wait(self, status: str, names: Iterable[str], within_s: float) -> dict[str, str]:
        wanted = list(names)

        def look() -> bool:
            return all(self._webhook.told(name, status, self._since) for name in wanted)

        eventually(f"{', '.join(wanted)} to be told as {status}", look, within_s=within_s)
        return {name: f"{status} {self._when(name, status)}" for name in wanted}

    def _when(self, name: str, status: str) -> str:
        if self._since is None:
            return "from the start"
        waited = self._webhook.told(name, status, self._since)[0].at - self._since
        return f"after {waited.total_seconds():.0f} s"


def wait_until_firing(lab: Lab, name: str) -> None:
    """Wait until Prometheus has an alert firing, and a moment more, in which it could be told.

    Raises:
        NotWithin: it does not fire.
    """
    with Prometheus(str(lab.endpoints.prometheus_url)) as prometheus:
        query = f'count_over_time(ALERTS{{alertname="{name}", alertstate="firing"}}[5s]) >= 4'
        eventually(
            f"{name} to be firing",
            lambda: prometheus.vector(query),
            within_s=ARRIVES_WITHIN_S,
            tolerate=(NoData,),
        )


def flood(lab: Lab, count: int) -> None:
    """Put many good messages into the queue at once, past scraper and ledger; no worker need run.

    Each is about a match of its own, so that they do not wait for each other's row.

    Raises:
        broker.TROUBLE: the broker did not take them.
    """
    now = datetime.now(UTC)
    with amqp.channel(lab.endpoints.broker_urls["admin"]) as on:
        for number in range(count):
            match = contract.parse({**PLAIN_MATCH, "external_match_id": f"flood-{number}"})
            message_id = wire.new_message_id()
            wrapped = wire.wrap(match, message_id=message_id, published_at=now)
            on.basic_publish(
                EXCHANGE,
                PROCESS_QUEUE,
                wrapped.body,
                pika.BasicProperties(
                    content_type=wrapped.content_type,
                    content_encoding=wrapped.content_encoding,
                    headers=dict(wrapped.headers),
                    message_id=message_id,
                    delivery_mode=2,
                ),
            )
