"""Waits for alerts to arrive, as an engineer on call does, and causes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import yaml

from lab.clients import amqp
from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData
from lab.clients.webhook import Webhook
from lab.errors import NotWithin
from lab.experiment.lab import PLAIN_MATCH, Lab
from lab.monitoring.watch import RULES
from lab.wait import eventually
from system.contract import envelope as wire
from system.contract import match as contract

ARRIVES_WITHIN_S = 90.0
ON_A_FRESH_SYSTEM = frozenset({"NoTraffic", "ScraperDidNotRun", "Watchdog"})
"""Alerts that are right before anything has happened."""
LATE = frozenset({"LatencyHigh", "ErrorBudgetBurnFast", "ErrorBudgetBurnSlow"})
"""Alerts that a busy machine may cause: the first messages meet a worker that has just started."""
FIRING, RESOLVED = "firing", "resolved"


class AlertWaiter:
    """Waits for alerts; reports how many seconds after its creation each arrived.

    Args:
        webhook: where Alertmanager sends them.
        always: whether what arrived before its creation counts, too.
    """

    def __init__(self, webhook: Webhook, *, always: bool = False) -> None:
        self._webhook = webhook
        self._since = None if always else datetime.now(UTC)

    def fired(self, *names: str, within_s: float = ARRIVES_WITHIN_S) -> dict[str, str]:
        """Wait until each of the alerts fires; return when it did, by name.

        Raises:
            NotWithin: one does not fire.
        """
        return self._wait(FIRING, names, within_s)

    def resolved(self, *names: str, within_s: float = ARRIVES_WITHIN_S) -> dict[str, str]:
        """Wait until the end of each alert has arrived; return when it did, by name.

        Raises:
            NotWithin: one goes on.
        """
        return self._wait(RESOLVED, names, within_s)

    def fired_about(self, name: str, *things: str) -> set[str]:
        """Wait until the alert has named these queues, exchanges or reasons; return all it named.

        Raises:
            NotWithin: about one of them it does not fire.
        """

        def named() -> set[str]:
            told = self._webhook.notices(name, FIRING, self._since)
            about = ("queue", "exchange", "reason")
            return {each.labels[name] for each in told for name in about if name in each.labels}

        eventually(
            f"{name} to name {', '.join(things)}",
            lambda: named().issuperset(things),
            within_s=ARRIVES_WITHIN_S,
        )
        return named()

    def all_names(self) -> set[str]:
        """Every alert that has fired or ended."""
        told = list(self._webhook.received)
        return {each.name for each in told if self._since is None or each.at >= self._since}

    def has_arrived(self, name: str) -> bool:
        """Whether the alert has arrived."""
        return bool(self._webhook.notices(name, FIRING, self._since))

    def _wait(self, status: str, names: Iterable[str], within_s: float) -> dict[str, str]:
        wanted = list(names)

        def lacking() -> list[str]:
            return [name for name in wanted if not self._webhook.notices(name, status, self._since)]

        what = f"{', '.join(wanted)} to arrive as {status}"
        try:
            eventually(what, lambda: not lacking(), within_s=within_s)
        except NotWithin as error:
            raise NotWithin(f"{error}; there is none of {', '.join(lacking())}") from error
        return {name: f"{status} {self._when(name, status)}" for name in wanted}

    def _when(self, name: str, status: str) -> str:
        if self._since is None:
            return "from the start"
        waited = self._webhook.notices(name, status, self._since)[0].at - self._since
        return f"after {waited.total_seconds():.0f} s"


def that_exist() -> set[str]:
    """The names of the alerts in the rules that production loads."""
    groups = [
        group
        for path in sorted(RULES.glob("*.yaml"))
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
    ]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def wait_until_firing(lab: Lab, name: str) -> None:
    """Wait until an alert fires in Prometheus, and long enough for its notice to arrive.

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


def firing(lab: Lab) -> set[str]:
    """Every alert that fires in Prometheus now, also those of which no notice comes any more.

    Raises:
        NoData: Prometheus cannot be asked.
    """
    with Prometheus(str(lab.endpoints.prometheus_url)) as prometheus:
        series = prometheus.vector('ALERTS{alertstate="firing"}')
    return {each.labels["alertname"] for each in series}


def flood(lab: Lab, count: int) -> None:
    """Put many valid messages into the queue at once, without scraper, ledger or worker.

    Each is about a match of its own, at a meeting of its own: messages about one wait for each
    other, and each is compared with all that were stored there before.

    Raises:
        amqp.TROUBLE: the broker did not accept them.
    """
    now = datetime.now(UTC)
    matches = (
        contract.parse(
            {
                **PLAIN_MATCH,
                "external_match_id": f"flood-{number}",
                "home_team": f"Flood FC {number // 28}",
                "match_date": f"2025-10-{1 + number % 28:02}",
            }
        )
        for number in range(count)
    )
    flood = (
        wire.wrap(match, message_id=wire.new_message_id(), published_at=now) for match in matches
    )
    amqp.publish(lab.endpoints.broker_urls["admin"], flood, confirm=False)
