"""Phase 5: see everything, second half: every alert is caused, arrives, and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.clients import amqp
from lab.clients.webhook import Webhook
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, staged
from lab.substrates.plan import Link, Role
from lab.wait import eventually
from scenarios.support import mishaps
from scenarios.support.alerts import (
    ARRIVES_WITHIN_S,
    LATE,
    ON_A_FRESH_SYSTEM,
    AlertWaiter,
    firing,
    flood,
    that_exist,
    wait_until_firing,
)
from system.contract import topology

# Together they take minutes. What each alert asks is tested with its rules, and that one arrives
# with the monitoring of the local substrate.
pytestmark = [
    pytest.mark.long,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

TIME_SCALE = 360.0
"""An hour of the rules passes in ten seconds; no duration gets below five."""
LAST_STEP = topology.retry_queue(topology.RETRY_DELAYS_S[-1])
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


def test_a_system_that_is_in_order_is_left_alone(
    lab: Lab, webhook: Webhook, evidence: Evidence
) -> None:
    """While matches flow and everybody does their work, no alert speaks of a fault.

    The league's pages are read again, with some rows that nobody can read, as always; and senders
    publish for longer than it takes an alert to fire.
    """
    bell = AlertWaiter(webhook)
    lab.scrape(lab.season.moments(3)[0], 1)
    with lab.load("steady"):
        lab.run_for(15)
    told = bell.all_names() | firing(lab)
    evidence("alerts that fired or ended", sorted(told))
    assert told <= ON_A_FRESH_SYSTEM | LATE


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
    looking for processes would find all well. That is said before anything waits. Then messages
    are sent, and the broker's memory alarm is raised; it blocks every publisher.
    """
    bell = AlertWaiter(webhook)
    with lab.fault("link-cut", link=Link.WORKER_BROKER):
        fired = bell.fired("WorkerNotConsuming")
        for _ in range(5):
            lab.send()
        with lab.fault("broker-memory-alarm"):
            fired |= bell.fired("QueueWithoutConsumer", "BrokerAlarm")
            calm = AlertWaiter(webhook)
    note(evidence, fired, calm.resolved(*fired))


def test_a_bug_and_a_wrong_password_are_told_apart_from_an_outage(
    lab: Lab, webhook: Webhook, unlucky: Path, evidence: Evidence
) -> None:
    """An error in the worker's own code has an alert of its own, and so has a refused login.

    The worker raises what nobody foresaw, for every message; nothing outside of it is at fault.
    Then the broker gets a new password for the workers, which nobody tells them. Broker and
    workers are up all the while, and nothing waits.
    """
    # Ten different messages that meet a bug brake a worker. It tries one before it consumes again,
    # and here comes none.
    eventually(
        "what was sent before to leave the queues",
        lambda: not lab.endpoints.management.held(amqp.WORK),
        within_s=ARRIVES_WITHIN_S,
    )
    bell = AlertWaiter(webhook)
    unlucky.write_text("1 bug")
    lab.send()
    fired = bell.fired("WorkerBug")
    calm = AlertWaiter(webhook)
    unlucky.write_text("0")
    ended = calm.resolved("WorkerBug")
    bell = AlertWaiter(webhook)
    with mishaps.password_changed(lab, "worker"):
        fired |= bell.fired("LoginRefused", "WorkerNotConsuming")
        calm = AlertWaiter(webhook)
    note(evidence, fired, ended | calm.resolved("LoginRefused", "WorkerNotConsuming"))


def test_a_token_that_is_refused_is_told(lab: Lab, webhook: Webhook, evidence: Evidence) -> None:
    """The API refuses the token of somebody who tries again and again."""
    bell = AlertWaiter(webhook)

    def tried_in_vain() -> bool:
        mishaps.post_with_a_wrong_token(lab)
        return bell.has_arrived("TokenRefused")

    eventually("TokenRefused to arrive", tried_in_vain, within_s=ARRIVES_WITHIN_S, every_s=0.5)
    calm = AlertWaiter(webhook)
    note(evidence, bell.fired("TokenRefused"), calm.resolved("TokenRefused"))


def test_what_is_missing_at_the_broker_is_told(
    lab: Lab, webhook: Webhook, evidence: Evidence
) -> None:
    """A queue that is gone, a binding that is gone, and messages that nobody will get, are seen.

    One step of the retries is deleted, and the queue of matches unbound. A sender that does not ask
    to be informed publishes a match all the same: the broker has no queue for it. Beside it, a
    message waits in a queue that somebody made, and nobody reads.
    """
    bell = AlertWaiter(webhook)
    with (
        mishaps.queue_deleted(lab, LAST_STEP),
        mishaps.forgotten_queue(lab, "of.yesterday", b"{}"),
        lab.fault("queue-unbound"),
    ):
        fired = bell.fired("TopologyIncomplete")
        mishaps.send_without_asking(lab, b"{}")
        fired |= bell.fired("MessagesUnroutable", "QueueWithoutConsumer")
        # The broker forgets the metrics of a queue some seconds after the queue itself.
        missing = {LAST_STEP, topology.RETRY_EXCHANGE, topology.EXCHANGE}
        named = bell.fired_about("TopologyIncomplete", *missing)
        calm = AlertWaiter(webhook)
    mishaps.empty(lab, "matches.unroutable")
    evidence("missing", sorted(named))
    note(evidence, fired, calm.resolved(*fired))
    assert named == missing


def test_pages_that_cannot_be_read_are_told(lab: Lab, webhook: Webhook, evidence: Evidence) -> None:
    """A page without matches is told, and far fewer than before, and rows refused beyond the usual.

    Rows that nobody can read are usual on the league's site: about one in eight on the small site
    here, and no alert had fired on them.
    """
    bell = AlertWaiter(webhook)
    moment = lab.season.moments(3)[1]
    evidence("a page without rows", mishaps.read_page_without_rows(lab))
    evidence("far fewer rows than before", mishaps.read_far_fewer_rows(lab, moment))
    fired = bell.fired("PagesNotRead")
    named = bell.fired_about("PagesNotRead", "unrecognised", "few-rows")
    evidence("reasons", sorted(named))
    calm = AlertWaiter(webhook)
    evidence("a page of bad rows", mishaps.read_page_with_bad_rows(lab, moment))
    fired |= bell.fired("RowsRefused")
    note(evidence, fired, calm.resolved("PagesNotRead"))


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
    evidence("alerts that fired or ended", sorted(bell.all_names()))


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
        lab.scraper.scrape(lab.season.moments(3)[1], 2)
        evidence("waiting in the outbox", lab.scraper.waiting())
        fired = bell.fired(
            "WorkersMissing", "QueueDepthHigh", "OutboxNotDraining", "QueueWayUnused"
        )
        calm = AlertWaiter(webhook)
    lab.scraper.drain()
    ended = calm.resolved("WorkersMissing", "QueueDepthHigh", "OutboxNotDraining")
    note(evidence, fired, ended)


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


def test_dead_letters_that_remain_are_told(lab: Lab, webhook: Webhook, evidence: Evidence) -> None:
    """Dead letters that nobody looks at are told again, when they have long ceased to arrive.

    They are those of the experiments before, and one more. An operator then throws them away.
    """
    # It is dead before the queue is emptied: one that comes afterwards would keep the alert firing.
    mishaps.send_what_dies(lab)
    # It may have fired before the broker died, whose death ended it: what counts is the present.
    wait_until_firing(lab, "DeadLettersRemaining")
    fired = AlertWaiter(webhook, always=True).fired("DeadLettersRemaining")
    calm = AlertWaiter(webhook)
    mishaps.empty(lab, topology.DEAD_LETTER_QUEUE)
    note(evidence, fired, calm.resolved("DeadLettersRemaining"))


def test_every_alert_was_seen(lab: Lab, webhook: Webhook, evidence: Evidence) -> None:
    """Every alert that exists has fired here for real; the slow ones end when all is well for long.

    The list of alerts is read from the rules that production loads.
    """
    if not _fired:
        pytest.skip("it sums up the other experiments: run the whole phase")
    there = that_exist()
    evidence("alerts that exist", len(there))
    evidence("never caused here", sorted(there - _fired))
    assert there == _fired
    for name in ("QueueWayUnused", "RowsRefused", "ErrorBudgetBurnSlow"):
        AlertWaiter(webhook, always=True).resolved(name)
        evidence(name, "resolved")
