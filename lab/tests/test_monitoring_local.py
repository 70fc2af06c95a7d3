"""A lab that is watched, with real services: who is seen, what dies and comes back, what is left.

One lab for all of them. The tests leave it as it was; the last one ends it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
import urllib3

from lab.checker.cross_check import ACCEPTED, compare, wait_until_seen
from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData
from lab.clients.webhook import Webhook
from lab.experiment.lab import Lab
from lab.experiment.metrics import JOB
from lab.experiment.plugin import Stage, running
from lab.monitoring import scrape
from lab.substrates.local import Local, detached, programs
from lab.substrates.local.instance import Instance, instances
from lab.substrates.local.ports import HOST
from lab.substrates.local.series import opened
from lab.substrates.plan import Role
from lab.tests import trees
from lab.wait import eventually

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

SEEN_WITHIN_S = 40.0
EXPORTERS = {
    ("redis", "exporter-0"): "redis-exporter",
    ("postgresql", "exporter-1"): "postgres-exporter",
}
ALWAYS = {
    ("rabbitmq", "broker-0"),
    ("rabbitmq-detailed", "broker-0"),
    ("worker", "worker-0"),
    ("backend", "api-0"),
    ("scraper", "scraper-exporter-0"),
    ("prometheus", "prometheus-0"),
    ("alertmanager", "alertmanager-0"),
    ("flower", "flower-0"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path with a space, as people have."""
    return tmp_path_factory.mktemp("a watched lab")


@pytest.fixture(scope="module")
def ending() -> Iterator[ExitStack]:
    """Closing it ends the lab; so does the end of the module."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def webhook(ending: ExitStack) -> Webhook:
    """Where the lab's Alertmanager sends alerts."""
    return ending.enter_context(Webhook())


@pytest.fixture(scope="module")
def lab(folder: Path, ending: ExitStack, webhook: Webhook) -> Lab:
    """A watched lab, through which messages have come."""
    plan = {"monitoring": True, "flower": True, "concurrency": 1, "webhook_url": webhook.url}
    lab = ending.enter_context(running(Stage.below(folder), plan))
    lab.scrape(lab.season.moments(2)[0], 0)
    lab.send_foreign(0)
    assert lab.settle()
    return lab


@pytest.fixture(scope="module")
def local(lab: Lab) -> Local:
    """Where it runs."""
    assert isinstance(lab.substrate, Local)
    return lab.substrate


@pytest.fixture(scope="module")
def prometheus(lab: Lab) -> Iterator[Prometheus]:
    """The lab's own Prometheus, which has seen those messages."""
    assert lab.endpoints.prometheus_url is not None
    with Prometheus(lab.endpoints.prometheus_url) as asked:
        wait_until_seen(asked)
        yield asked


@pytest.fixture(scope="module")
def instance(lab: Lab, folder: Path) -> Instance:
    """What the lab has written down about itself."""
    (only,) = instances(folder / "lab")
    return only


def wait_seen(prometheus: Prometheus, job: str, instance: str, health: str | None) -> None:
    """Wait until Prometheus tells this of a target; None: that there is no such target."""

    def look() -> bool:
        found = {(each.job, each.instance): each.health for each in prometheus.targets()}
        return found.get((job, instance)) == health

    eventually(
        f"{instance} to be {health or 'no target'}",
        look,
        within_s=SEEN_WITHIN_S,
        every_s=0.2,
        tolerate=(NoData,),
    )


def wait_value(prometheus: Prometheus, query: str, value: float) -> None:
    """Wait until a query has this value: on a busy machine a scrape is late now and then."""
    eventually(
        f"{query} to be {value:g}",
        lambda: prometheus.value(query) == value,
        within_s=SEEN_WITHIN_S,
        every_s=0.2,
        tolerate=(NoData,),
    )


def test_all_that_runs_is_seen_from_the_start(prometheus: Prometheus) -> None:
    expected = ALWAYS | {seen for seen, program in EXPORTERS.items() if programs.find(program)}

    def up() -> set[tuple[str, str]]:
        return {(each.job, each.instance) for each in prometheus.targets() if each.health == "up"}

    # On a busy machine one or another misses a scrape.
    eventually(
        f"just these to be up: {sorted(expected)}",
        lambda: {each for each in up() if each[0] != JOB} == expected,
        within_s=SEEN_WITHIN_S,
        tolerate=(NoData,),
    )
    assert {job for job, _ in up()} <= set(scrape.JOBS)


def test_the_rules_are_loaded_and_can_be_evaluated(prometheus: Prometheus) -> None:
    groups = prometheus._get("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]

    assert {"Watchdog", "BrokerDown"} <= {rule["name"] for rule in rules}
    assert not [rule for rule in rules if rule["health"] == "err"]


def test_an_alert_reaches_the_webhook(lab: Lab, webhook: Webhook) -> None:
    eventually(
        "the Watchdog", lambda: webhook.notices("Watchdog", "firing"), within_s=SEEN_WITHIN_S
    )


def test_the_counters_tell_what_the_ledger_counted(lab: Lab, prometheus: Prometheus) -> None:
    lab.ledger.look_at_dead_letters()

    accounts = compare(lab.ledger, prometheus)

    assert len(lab.ledger.scraped) > 0
    assert len(lab.ledger.dead) > 0
    assert all(each.agrees for each in accounts), "; ".join(map(str, accounts))


def test_flower_hears_of_every_task_and_has_no_other_right(
    lab: Lab, prometheus: Prometheus, instance: Instance
) -> None:
    succeeded = 'sum(flower_events_total{job="flower", type="task-succeeded"})'
    seen_by_worker = "sum(missing_table_task_runtime_seconds_count)"
    eventually(
        "Flower to have heard of all tasks",
        lambda: prometheus.value(succeeded) == prometheus.value(seen_by_worker) > 0,
        within_s=SEEN_WITHIN_S,
        every_s=0.2,
        tolerate=(NoData,),
    )

    page = urllib3.request(
        "GET", f"{lab.endpoints.flower_url}/workers?json=1", timeout=10, retries=False
    ).json()
    assert [each["status"] for each in page["data"]] == [True]
    said = (instance.logs / "flower-0.log").read_text("utf-8")
    assert [line for line in said.splitlines() if not line.startswith("[I ")] == []


def test_redis_and_postgresql_are_seen_from_inside(prometheus: Prometheus) -> None:
    """The exporters could log in: that they answer says nothing about that."""
    for (job, name), program in EXPORTERS.items():
        if programs.find(program):
            up = "redis_up" if job == "redis" else "pg_up"
            wait_value(prometheus, f'{up}{{job="{job}", instance="{name}"}}', 1)


def test_an_active_fault_and_what_it_strikes_show_and_go_again(
    lab: Lab, prometheus: Prometheus
) -> None:
    active = f'missing_table_lab_fault_active{{job="{JOB}", fault="worker-paused"}}'

    def shows(value: float) -> bool:
        return prometheus.value(active) == value

    def wait(value: float) -> None:
        eventually(
            f"the fault to show as {value:g}",
            lambda: shows(value),
            within_s=SEEN_WITHIN_S,
            every_s=0.2,
            tolerate=(NoData,),
        )

    wait(0)
    with lab.fault("worker-paused"):
        wait(1)
        wait_seen(prometheus, "worker", "worker-0", "down")
    wait(0)
    wait_seen(prometheus, "worker", "worker-0", "up")


def test_workers_that_come_and_go_become_and_stay_no_targets(
    local: Local, prometheus: Prometheus
) -> None:
    local.scale(Role.WORKER, 2)
    wait_seen(prometheus, "worker", "worker-1", "up")
    local.scale(Role.WORKER, 1)
    wait_seen(prometheus, "worker", "worker-1", None)


def test_a_workers_counters_go_on_after_its_death(local: Local, prometheus: Prometheus) -> None:
    processed = 'sum(missing_table_messages_processed_total{instance="worker-0"})'
    before = eventually(
        "what it has processed",
        lambda: prometheus.value(processed),
        within_s=SEEN_WITHIN_S,
        tolerate=(NoData,),
    )

    local.kill(Role.WORKER)
    wait_seen(prometheus, "worker", "worker-0", "down")
    local.start(Role.WORKER)
    wait_seen(prometheus, "worker", "worker-0", "up")

    wait_value(prometheus, processed, before)


@pytest.mark.parametrize(
    ("role", "job"),
    [(Role.ALERTMANAGER, "alertmanager"), (Role.SCRAPER_EXPORTER, "scraper")],
)
def test_a_watcher_that_died_is_missed_and_comes_back(
    local: Local, instance: Instance, prometheus: Prometheus, role: Role, job: str
) -> None:
    local.kill(role)
    wait_seen(prometheus, job, f"{role}-0", "down")
    assert detached.status(instance).verdict == "degraded"
    local.start(role)
    wait_seen(prometheus, job, f"{role}-0", "up")

    assert detached.status(instance).verdict == "up"


def test_a_killed_prometheus_comes_back_with_all_it_had_recorded(
    local: Local, prometheus: Prometheus
) -> None:
    accepted = prometheus.value(ACCEPTED)
    seen = time.time()

    local.kill(Role.PROMETHEUS)
    assert not prometheus.ready()
    local.start(Role.PROMETHEUS)

    assert prometheus.value(ACCEPTED, at=seen) == accepted > 0
    wait_seen(prometheus, "worker", "worker-0", "up")


def test_watching_opens_nothing_to_other_machines(local: Local) -> None:
    heard = {
        (each.name(), address.laddr.ip)
        for each in trees.of_lab(local)
        for address in each.net_connections("inet")
        if address.status == psutil.CONN_LISTEN
    }

    # Erlang's port mapper adds the loopback of IPv6 by itself.
    assert not {(name, ip) for name, ip in heard if ip not in {HOST, "::1"}}


def test_watching_puts_no_password_where_others_can_read(
    lab: Lab, local: Local, instance: Instance
) -> None:
    ends = lab.endpoints
    urls = (*ends.broker_urls.values(), ends.results_url, ends.database_url)
    secrets = {url.split("@")[0].rsplit(":", 1)[1] for url in urls} | {ends.api_token}
    there = trees.of_lab(local)
    watcher = next((each for each in there if "DATA_SOURCE_PASS" in each.environ()), None)
    if watcher is not None:
        secrets.add(watcher.environ()["DATA_SOURCE_PASS"])
        assert watcher.environ()["DATA_SOURCE_USER"] not in ends.database_url

    lines = "\n".join(" ".join(each.cmdline()) for each in there)
    logs = "\n".join(each.read_text(errors="replace") for each in instance.logs.iterdir())
    written = instance.folder.glob("prometheus/**/*.yml")

    assert not [each for each in secrets if each in lines or each in logs]
    assert {oct(each.stat().st_mode & 0o777) for each in written} == {"0o600"}


def test_afterwards_only_the_series_are_left(
    lab: Lab, local: Local, instance: Instance, prometheus: Prometheus, ending: ExitStack
) -> None:
    there = trees.of_lab(local)
    accepted = prometheus.value(ACCEPTED)
    seen = time.time()

    ending.close()

    trees.wait_gone(there, within_s=20)
    assert not instance.folder.exists()
    assert not (lab.folder / "prometheus" / "lock").exists()
    with opened(lab.folder / "prometheus") as url, Prometheus(url) as afterwards:
        assert afterwards.value(ACCEPTED, at=seen) == accepted
