"""Phase 5: see everything: targets, counts that can be believed, objectives judged."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.checker import cross_check
from lab.checker.cross_check import wait_until_seen
from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData, ScrapeTarget
from lab.dev.terminal import Terminal
from lab.errors import NotWithin
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, staged
from lab.monitoring import scrape
from lab.substrates.abilities import Killable
from lab.substrates.plan import Role
from lab.wait import eventually, stopwatch
from scenarios.support import drivers
from system.contract.reasons import OWN_FAULT
from system.contract.topology import DEAD_LETTER_QUEUE

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

WINDOW_S = 15
SEEN_WITHIN_S = 60.0
_FAILED = f'missing_table_dead_lettered_total{{reason!~"{"|".join(sorted(OWN_FAULT))}"}}'
"""What was dead-lettered though nothing was wrong with it."""
_last_judged_s = [0.0]
LOOKS_MAX = 4
"""How long the last `lab slo` took."""


@pytest.fixture(scope="module")
def unlucky(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that says which share of messages fails."""
    return tmp_path_factory.mktemp("refusing") / "share"


@pytest.fixture(scope="module")
def lab(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, unlucky: Path
) -> Iterator[Lab]:
    """A system with everything that watches it."""
    plan = {
        "workers": 2,
        "monitoring": True,
        "wrapper": {Role.WORKER: "system.tests.weakened.refusing"},
        "settings": {Role.WORKER: {"WEAKENED": str(unlucky)}},
    }
    with staged(request, tmp_path_factory, plan) as running:
        yield running


@pytest.fixture
def prometheus(lab: Lab) -> Iterator[Prometheus]:
    """The lab's Prometheus, to ask."""
    with Prometheus(str(lab.endpoints.prometheus_url)) as asked:
        yield asked


def judged(lab: Lab, evidence: Evidence, since: float) -> tuple[int, dict[str, str]]:
    """Type `lab slo` for the time since a moment; the exit code, and each objective's verdict.

    It looks back from when it has started, which takes seconds on a busy machine. So it is told to
    look back further by as much as the last one took: nothing was sent meanwhile. One that took
    longer than that has not seen the beginning, and is typed once more.
    """
    for _ in range(LOOKS_MAX):
        allowed_s = _last_judged_s[0]
        window = f"{math.ceil(time.time() - since + allowed_s)}s"
        typed = ("slo", "--url", str(lab.endpoints.prometheus_url), "--window", window)
        with stopwatch() as seconds:
            output = Terminal(lab.folder.absolute()).lab(*typed, "--json")
            _last_judged_s[0] = seconds()
        assert output.out, output.complaints
        if _last_judged_s[0] <= allowed_s + 1:
            break
    found: dict[str, Any] = json.loads(output.out)
    evidence(f"the last {window}", f"{found['verdict']}, exit code {output.code}")
    for each in found["objectives"]:
        value = "" if each["value"] is None else f"{each['value']:.4g} {each['unit']}, "
        left = each["budget_left"]
        budget = each["because"] if left is None else f"budget left {left:.0%}"
        evidence(each["objective"], f"{each['verdict']}: {value}{budget}")
    return output.code, {each["objective"]: each["verdict"] for each in found["objectives"]}


def assert_latency_as_in_receipts(
    lab: Lab, evidence: Evidence, since: float, verdicts: dict[str, str]
) -> None:
    """Hold the verdicts on latency against the database, but where it is close to the bound."""
    began = datetime.fromtimestamp(since, UTC)
    (seen,) = drivers.rows(
        lab,
        "WITH took AS (SELECT extract(epoch FROM committed_at - published_at)::float AS s"
        " FROM receipts WHERE published_at >= %s)"
        " SELECT avg(s) / 0.5 AS mean, percentile_cont(0.99) WITHIN GROUP (ORDER BY s) / 2.5 AS p99"
        " FROM took",
        began,
    )
    for name, share in seen.items():
        evidence(f"by the receipts: {name} latency, as a share of its bound", round(share, 3))
        if share < 0.8:
            assert verdicts[f"latency-{name}"] == "met"
        if share > 1.2:
            assert verdicts[f"latency-{name}"] == "violated"


def value_that(prometheus: Prometheus, query: str, is_right: Callable[[float], bool]) -> float:
    """The value of a query, asked for until it is right, but not for ever; then the last one.

    On a busy machine a scrape is late now and then, and its series are gone until the next.
    """
    seen = [math.nan]

    def look() -> bool:
        seen.append(prometheus.value(query))
        return is_right(seen[-1])

    with suppress(NotWithin):
        eventually(query, look, within_s=SEEN_WITHIN_S, every_s=0.25, tolerate=(NoData,))
    return seen[-1]


def by_worker(lab: Lab, prometheus: Prometheus, query: str) -> dict[str, float]:
    """The values of a query by worker, once there is one of each."""

    def look() -> dict[str, float]:
        found = {each.labels["instance"]: each.value for each in prometheus.vector(query)}
        return found if len(found) == lab.plan.workers else {}

    return eventually(
        f"{query} of {lab.plan.workers} workers",
        look,
        within_s=SEEN_WITHIN_S,
        every_s=0.25,
        tolerate=(NoData,),
    )


def test_every_target_is_up(lab: Lab, prometheus: Prometheus, evidence: Evidence) -> None:
    """Everything that runs is scraped: broker, workers, API, scraper, stores, and the watchers.

    The exporters of Redis and PostgreSQL count if this machine has them.
    """
    exporters = {log.name for log in lab.substrate.logs(Role.EXPORTER)}
    optional = {
        "redis": "exporter-0" in exporters,
        "postgresql": "exporter-1" in exporters,
        "flower": lab.plan.flower,
    }
    wanted = {job for job in scrape.JOBS if optional.get(job, True)}

    def all_are_up() -> list[ScrapeTarget]:
        found = prometheus.targets()
        up = {each.job for each in found if each.health == "up"}
        return found if up >= wanted and {each.health for each in found} == {"up"} else []

    # The lab itself comes last; and on a busy machine one or another misses a scrape.
    seen = eventually(
        "every target to be up", all_are_up, within_s=SEEN_WITHIN_S, tolerate=(NoData,)
    )
    for job in scrape.JOBS:
        here = [each for each in seen if each.job == job]
        evidence(job, {each.instance: each.health for each in here} or "not here")
    assert {each.job for each in seen} == wanted
    assert {each.health for each in seen} == {"up"}
    assert len([each for each in seen if each.job == "worker"]) == lab.plan.workers


def test_without_traffic_nothing_is_judged(lab: Lab, evidence: Evidence) -> None:
    """Without traffic, `lab slo` says unknown and exits with 2: no messages are not 100 %."""
    since = time.time()
    lab.run_for(WINDOW_S)
    code, verdicts = judged(lab, evidence, since)
    assert code == 2
    assert set(verdicts.values()) == {"unknown"}


def test_a_healthy_run_meets_its_objectives(
    lab: Lab, prometheus: Prometheus, evidence: Evidence
) -> None:
    """Under a steady load all objectives are met, and the exit code is 0.

    Success is a matter of the system; latency also of the machine. So what is said of latency is
    held against the receipts: where this machine kept up, it has to be met.
    """
    since = time.time()
    with lab.load("steady"):
        lab.run_for(WINDOW_S)
    lab.settle()
    wait_until_seen(prometheus)
    code, verdicts = judged(lab, evidence, since)
    assert verdicts["success"] == "met"
    assert_latency_as_in_receipts(lab, evidence, since, verdicts)
    assert code == (1 if "violated" in verdicts.values() else 0)


def test_metrics_and_ledger_agree(lab: Lab, prometheus: Prometheus, evidence: Evidence) -> None:
    """What the metrics count is what the ledger counts, to the message; latency within a tenth.

    By two scrapes, and by foreign senders, some of whose messages break the contract. The ledger
    reads journals, receipts and dead letters; the counters stand in the processes. They have
    nothing in common but the truth.
    """
    for index, moment in enumerate(lab.season.moments(3)[:2]):  # some matches did not change
        lab.scrape(moment, index)
    lab.send_foreign(0)
    lab.settle()
    lab.ledger.look_at_dead_letters()
    accounts = cross_check.compare(lab.ledger, prometheus)
    for each in accounts:
        evidence(each.what, {"ledger": each.ledger, "Prometheus": each.prometheus})
    assert [str(each) for each in accounts if not each.agrees] == []
    audit = lab.audit()
    assert audit.latency is not None
    name = "missing_table_message_latency_seconds"
    # A receipt has the time just before its commit, the metric that after it: on a busy machine
    # some milliseconds lie between them, whatever the latency is.
    near = pytest.approx(audit.latency.mean, rel=0.1, abs=20)
    mean = f"1000 * sum({name}_sum) / sum({name}_count)"
    mean_ms = value_that(prometheus, mean, lambda found: found == near)
    # What was rightly given up has none.
    all_of_them = len(lab.ledger.effects)
    timed = value_that(prometheus, f"sum({name}_count)", lambda found: found == all_of_them)
    evidence("messages whose latency was taken", timed)
    assert timed == all_of_them
    evidence("mean latency, ms", {"ledger": audit.latency.mean, "Prometheus": mean_ms})
    assert mean_ms == near
    success = next(each for each in audit.objectives if each.name == "success_ratio")
    share = f"{cross_check.EFFECTS} / ({cross_check.EFFECTS} + sum({_FAILED}))"
    ratio = value_that(prometheus, share, lambda found: found == success.value)
    evidence("success ratio", {"ledger": success.value, "Prometheus": ratio})
    assert ratio == success.value


def test_counters_survive_the_death_of_workers(
    lab: Lab, prometheus: Prometheus, evidence: Evidence
) -> None:
    """Counters go on where they stood when a worker is killed and started, and when a child is.

    They live in files that outlive the process. A counter in memory would begin at 0 again, and
    what it counted after its last scrape would be gone.
    """
    assert isinstance(lab.substrate, Killable)
    counted = "sum by (instance) (missing_table_messages_processed_total)"
    for _ in range(20):
        lab.send()
    lab.settle()
    wait_until_seen(prometheus)
    before = by_worker(lab, prometheus, counted)
    with lab.fault("worker-child-killed"):
        pass
    for index in range(lab.plan.workers):
        with lab.fault("worker-killed", index=index):
            pass
    wait_until_seen(prometheus)
    after = by_worker(lab, prometheus, counted)
    evidence("processed, before", before)
    evidence("processed, after SIGKILL and a new start", after)
    assert after == before
    assert sum(before.values()) > 0
    in_flight = "sum(missing_table_tasks_in_flight)"
    running = value_that(prometheus, in_flight, lambda found: found == 0)
    evidence("tasks in flight, reported by the dead", running)
    assert running == 0


def fail_once_in_each_worker(lab: Lab, prometheus: Prometheus, unlucky: Path) -> None:
    """What a counter has at its first scrape was counted before, as far as anybody can know."""
    unlucky.write_text("1")
    failed = f"sum by (instance) (last_over_time({_FAILED}[2m]))"

    def look() -> bool:
        lab.send()
        return len(prometheus.vector(failed)) == lab.plan.workers

    eventually(
        "a failure of each worker to be scraped",
        look,
        within_s=2 * SEEN_WITHIN_S,
        every_s=1.0,
        tolerate=(NoData,),
    )
    lab.settle()
    wait_until_seen(prometheus)


def test_one_failure_in_a_hundred_violates(
    lab: Lab, prometheus: Prometheus, unlucky: Path, evidence: Evidence
) -> None:
    """When 1 % of good messages fail, the success objective is violated, with exit code 1.

    The objective lets one in a thousand fail, so the budget is spent ten times over.
    """
    fail_once_in_each_worker(lab, prometheus, unlucky)
    since, dead = time.time(), lab.ledger.depths()[DEAD_LETTER_QUEUE]
    unlucky.write_text("0.01")
    with lab.load("steady"):
        lab.run_for(WINDOW_S)
        eventually(
            "two of them to fail",
            lambda: lab.ledger.depths()[DEAD_LETTER_QUEUE] > dead + 1,
            within_s=SEEN_WITHIN_S,
        )
    lab.settle()  # a worker that is behind would be lucky with what it does later
    unlucky.unlink()
    wait_until_seen(prometheus)
    code, verdicts = judged(lab, evidence, since)
    assert code == 1
    assert verdicts["success"] == "violated"
    assert_latency_as_in_receipts(lab, evidence, since, verdicts)


def test_slowness_violates(lab: Lab, prometheus: Prometheus, evidence: Evidence) -> None:
    """When messages wait for five seconds, the latency objectives are violated; success is met."""
    since = time.time()
    with lab.load("steady"):
        lab.run_for(3)
        with lab.fault("api-paused"):
            lab.run_for(5)
        lab.run_for(2)
    lab.settle()
    wait_until_seen(prometheus)
    code, verdicts = judged(lab, evidence, since)
    assert code == 1
    assert verdicts == {"success": "met", "latency-mean": "violated", "latency-p99": "violated"}


def test_without_prometheus_nothing_is_judged(lab: Lab, evidence: Evidence) -> None:
    """With Prometheus dead, `lab slo` says unknown and exits with 2; it does not wait for ever."""
    assert isinstance(lab.substrate, Killable)
    since = time.time() - WINDOW_S
    lab.substrate.kill(Role.PROMETHEUS)
    try:
        code, verdicts = judged(lab, evidence, since)
    finally:
        lab.substrate.start(Role.PROMETHEUS)
    assert code == 2
    assert set(verdicts.values()) == {"unknown"}
