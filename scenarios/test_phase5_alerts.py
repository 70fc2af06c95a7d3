"""Phase 5: see everything, second half: every alert is caused, arrives, and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from lab.clients.webhook import Webhook
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, staged
from lab.monitoring.watch import RULES
from lab.substrates.plan import Link, Role
from scenarios.support.alerts import AlertWaiter, flood, wait_until_firing

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(240)]

TIME_SCALE = 360.0
"""An hour of the rules passes in ten seconds; no duration gets below five."""
TOO_DEEP = 5_200
"""Messages; the alert speaks above 5,000."""
_fired: set[str] = set()


@pytest.fixture(scope="module")
def webhook() -> Iterator[Webhook]:
    """Where Alertmanager sends everything."""
    with Webhook() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def unlucky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that says which share of messages fails."""
    return tmp_path_factory.mktemp("refusing") / "share"


@pytest.fixture(scope="module")
def lab(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    webhook: Webhook,
    unlucky: Path,
) -> Iterator[Lab]:
    """A system whose alerts go to the webhook, and whose scraper is due every five seconds."""
    plan = {
        "workers": 2,
        "monitoring": True,
        "time_scale": TIME_SCALE,
        "webhook_url": webhook.url,
        "relayed": frozenset({Link.SCRAPER_BROKER, Link.WORKER_BROKER}),
        "wrapper": {Role.WORKER: "system.tests.weakened.refusing"},
        "settings": {
            Role.WORKER: {"WEAKENED": str(unlucky)},
            Role.SCRAPER_EXPORTER: {"MISSING_TABLE_SCRAPE_INTERVAL_S": "5"},
        },
    }
    with staged(request, tmp_path_factory, plan) as running:
        yield running


def note(evidence: Evidence, fired: dict[str, str], ended: dict[str, str]) -> None:
    """Keep what was seen of each alert."""
    for name, when in fired.items():
        evidence(name, f"{when}, {ended[name]}" if name in ended else when)
    _fired.update(fired)


def test_silence_is_told(lab: Lab, webhook: Webhook, evidence: Evidence) -> None:
    """A system in which nothing happens says so: no traffic, and a scraper that did not run.

    There is no sender and no scrape. A monitoring that only reports failures would show none.
    One alert always fires; if it stops arriving, alerts do not arrive.
    """
    fired = AlertWaiter(webhook, always=True).fired("NoTraffic", "ScraperDidNotRun", "Watchdog")
    calm = AlertWaiter(webhook)
    lab.scrape(lab.season.moments(3)[0], 0)
    note(evidence, fired, calm.resolved("NoTraffic", "ScraperDidNotRun"))


def test_failures_burn_the_budget(
    lab: Lab, webhook: Webhook, unlucky: Path, evidence: Evidence
) -> None:
    """When one message in five fails, the budget's alerts fire, and the dead letters' alert.

    The messages are good, and the worker gives them up, as it would if the API refused them. The
    fast alert ends soon after the failures do; the slow one looks back longer, see the last
    experiment.
    """
    bell = AlertWaiter(webhook)
    with lab.load("steady"):
        unlucky.write_text("0.2")
        fired = bell.fired("ErrorBudgetBurnFast", "ErrorBudgetBurnSlow", "DeadLettersArriving")
        calm = AlertWaiter(webhook)
        unlucky.write_text("0")
        ended = calm.resolved("ErrorBudgetBurnFast", "DeadLettersArriving")
    note(evidence, fired, ended)


def test_a_worker_that_cannot_consume_is_told_apart(
    lab: Lab, webhook: Webhook, evidence: Evidence
) -> None:
    """Workers that live and consume nothing are seen, and so is a broker that takes nothing.

    The line between workers and broker is cut: their processes go on and answer Prometheus, so
    looking for processes would find all well. Beside it, the broker's memory alarm is raised; it
    blocks every publisher.
    """
    bell = AlertWaiter(webhook)
    with lab.fault("link-cut", link=Link.WORKER_BROKER):
        for _ in range(5):
            lab.send()
        with lab.fault("broker-memory-alarm"):
            fired = bell.fired("QueueWithoutConsumer", "WorkerNotConsuming", "BrokerAlarm")
            calm = AlertWaiter(webhook)
    note(evidence, fired, calm.resolved(*fired))


def test_a_dead_broker_is_told_once(lab: Lab, webhook: Webhook, evidence: Evidence) -> None:
    """A dead broker pages, and what only follows from it does not; a dead API pages beside it.

    With the broker dead there is no traffic either. Prometheus has that alert firing; it carries
    `consequence_of: BrokerDown`, so Alertmanager keeps it quiet. Traffic just before makes sure
    that it has not been sent already.
    """
    with lab.load("steady"):
        lab.run_for(2)
    bell = AlertWaiter(webhook)
    with lab.fault("api-killed"), lab.fault("broker-killed"):
        fired = bell.fired("BrokerDown", "ScrapeMissing")
        wait_until_firing(lab, "NoTraffic")
        arrived = bell.has_arrived("NoTraffic")
        calm = AlertWaiter(webhook)
    evidence("NoTraffic", f"firing in Prometheus, {'arrived' if arrived else 'not arrived'}")
    assert not arrived
    note(evidence, fired, calm.resolved("BrokerDown", "ScrapeMissing"))


def test_no_worker_a_deep_queue_and_a_full_outbox(
    lab: Lab, webhook: Webhook, evidence: Evidence
) -> None:
    """Without workers the queue grows and pages; what the scraper cannot send raises an alert, too.

    Both workers are killed and 5,200 messages put into the queue. Then the scraper's line to the
    broker is cut and the API killed: a run of the scraper can only fill its outbox.
    """
    bell = AlertWaiter(webhook)
    with ExitStack() as broken:
        for index in range(2):
            broken.enter_context(lab.fault("worker-killed", index=index))
        flood(lab, TOO_DEEP)
        broken.enter_context(lab.fault("api-killed"))
        broken.enter_context(lab.fault("link-cut", link=Link.SCRAPER_BROKER))
        lab.scraper.scrape(lab.season.moments(3)[1], 1)
        evidence("waiting in the outbox", lab.scraper.waiting())
        fired = bell.fired("WorkersMissing", "QueueDepthHigh", "OutboxNotDraining")
        calm = AlertWaiter(webhook)
    lab.scraper.drain()
    note(evidence, fired, calm.resolved(*fired))


def test_slow_is_told_though_nothing_fails(lab: Lab, webhook: Webhook, evidence: Evidence) -> None:
    """Messages that come late fire the latency alert, though every one of them takes effect.

    The API is paused for six seconds under load. What waited meanwhile counts with its whole time.
    """
    bell = AlertWaiter(webhook)
    with lab.load("steady"):
        with lab.fault("api-paused"):
            lab.run_for(6)
        calm = AlertWaiter(webhook)
        fired = bell.fired("LatencyHigh")
    note(evidence, fired, calm.resolved("LatencyHigh"))


def test_every_alert_was_seen(lab: Lab, webhook: Webhook, evidence: Evidence) -> None:
    """Every alert that exists has fired here for real; the slow ones end when all is well for long.

    The list of alerts is read from the rules that production loads.
    """
    if not _fired:
        pytest.skip("it sums up the other experiments: run the whole phase")
    groups = [
        group
        for path in sorted(RULES.glob("*.yaml"))
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
    ]
    there = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    evidence("alerts that exist", len(there))
    evidence("never caused here", sorted(there - _fired))
    assert there == _fired
    AlertWaiter(webhook, always=True).resolved("ErrorBudgetBurnSlow")
    evidence("ErrorBudgetBurnSlow", "resolved")
