"""What a worker counts, and that its count survives what it dies of."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from pydantic import SecretStr

from system.contract import envelope as wire
from system.contract.reasons import Reason
from system.contract.topology import PROCESS_QUEUE
from system.errors import ApiUnavailable, BrokerUnavailable, DatabaseUnavailable
from system.metrics.definitions import MetricFactory
from system.metrics.folder import open_folder
from system.metrics.server import MetricsServer, serving
from system.metrics.tests.looking import kept, scraped, told
from system.settings import SinkKind, WorkerSettings
from system.tests.ports import free_port
from system.worker.metrics import WorkerMetrics
from system.worker.process_metrics import child_metrics
from system.worker.retry import Cause, cause
from system.worker.tests.bench import JSON, a_match, frozen_api, open_bench, until

OpenLab = Callable[..., Any]


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (DatabaseUnavailable("x"), "database"),
        (ApiUnavailable("x"), "api"),
        (BrokerUnavailable("x"), "broker"),
        (SoftTimeLimitExceeded(), "time_limit"),
        (ZeroDivisionError(), "bug"),
    ],
)
def test_a_retry_is_counted_under_what_it_waits_for(error: BaseException, word: str) -> None:
    assert cause(error) == word


@pytest.mark.parametrize("sink", list(SinkKind))
def test_everything_is_there_at_0_and_effects_only_where_the_commit_is_made(sink: SinkKind) -> None:
    factory = MetricFactory()
    WorkerMetrics(factory, sink)
    found = told(factory)
    for outcome in ("created", "stale", "duplicate", "retried", "dead_lettered", "returned"):
        assert found[f"messages_processed_total {outcome}"] == 0
    for reason in Reason:
        assert found[f"dead_lettered_total {reason}"] == 0
    for each in Cause:
        assert found[f"retries_total {each}"] == 0
    assert found["published_total nacked worker-gate"] == 0
    assert found["message_latency_seconds_bucket 0.5 dead_lettered queue"] == 0
    assert ("effects_total created queue" in found) == (sink is SinkKind.DATABASE)
    assert ("message_latency_seconds_count committed queue" in found) == (sink is SinkKind.DATABASE)


def test_a_task_that_fails_or_raises_is_timed_as_failed_and_is_in_flight_no_longer() -> None:
    factory = MetricFactory()
    metrics = WorkerMetrics(factory, SinkKind.API)
    with metrics.task(wire.HELLO_TASK):
        assert told(factory)["tasks_in_flight"] == 1
    with metrics.task(wire.HELLO_TASK) as running:
        running.failed()
    with pytest.raises(ZeroDivisionError), metrics.task(wire.HELLO_TASK):
        raise ZeroDivisionError
    found = told(factory)
    assert found["tasks_in_flight"] == 0
    assert found["task_runtime_seconds_count succeeded hello"] == 1
    assert found["task_runtime_seconds_count failed hello"] == 2


def test_each_of_a_batch_is_timed_by_its_own_outcome_and_none_succeeds_if_it_raises() -> None:
    factory = MetricFactory()
    metrics = WorkerMetrics(factory, SinkKind.API)
    with metrics.tasks(64) as running:
        assert told(factory)["tasks_in_flight"] == 64
        running.failed()
    with pytest.raises(ZeroDivisionError), metrics.tasks(10):
        raise ZeroDivisionError
    found = told(factory)
    assert found["tasks_in_flight"] == 0
    assert found["task_runtime_seconds_count succeeded process_match_data"] == 63
    assert found["task_runtime_seconds_count failed process_match_data"] == 11


def test_a_message_that_we_failed_has_the_latency_of_its_whole_way_where_that_is_known() -> None:
    factory = MetricFactory()
    metrics = WorkerMetrics(factory, SinkKind.API)
    since = datetime.now(UTC) - timedelta(minutes=2)
    metrics.dead_lettered(Reason.EXHAUSTED, since)
    metrics.dead_lettered(Reason.REFUSED, None)
    metrics.dead_lettered(Reason.UNREADABLE, since)
    found = told(factory)
    assert found["dead_lettered_total exhausted"] == found["dead_lettered_total unreadable"] == 1
    assert found["message_latency_seconds_sum dead_lettered queue"] == pytest.approx(120, abs=5)
    assert found["message_latency_seconds_count dead_lettered queue"] == 1


def test_a_child_lets_go_of_the_port_that_came_along_in_the_fork(tmp_path: Path) -> None:
    """An orphan may outlive its worker, and the next worker needs the port."""
    server = MetricsServer("127.0.0.1", 0, [])
    settings = WorkerSettings(
        broker_url=SecretStr(ENVIRONMENT["MISSING_TABLE_BROKER_URL"]),
        metrics_folder=tmp_path / "metrics",
    )
    child_metrics(settings, server)
    with serving("127.0.0.1", server.port, []):
        assert kept(tmp_path / "metrics")["messages_processed_total created"] == 0


ENVIRONMENT = {
    "MISSING_TABLE_BROKER_URL": "amqp://nobody:secret@127.0.0.1:1/",
    "MISSING_TABLE_API_URL": "http://127.0.0.1:1",
    "MISSING_TABLE_API_TOKEN": "token",
    "PATH": "/usr/bin:/bin",
}


def _worker(**variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "system.worker"],
        env={**ENVIRONMENT, **{f"MISSING_TABLE_{k.upper()}": v for k, v in variables.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[tuple[int, Path, subprocess.Popen[str]]]:
    """A worker whose broker was never there: its port, its folder, its process."""
    port, folder = free_port(), tmp_path / "metrics"
    with _worker(metrics_port=str(port), metrics_folder=str(folder)) as process:
        try:
            yield port, folder, process
        finally:
            process.terminate()


def test_a_worker_that_has_no_broker_yet_serves_and_says_that_it_does_not_consume(
    lonely: tuple[int, Path, subprocess.Popen[str]],
) -> None:
    port, _, process = lonely
    found = until("the worker to serve", lambda: scraped(port))
    assert found["worker_consuming"] == 0
    assert found["worker_concurrency"] == 2
    assert found["worker_start_time_seconds"] > 1.7e9
    assert found["messages_processed_total created"] == 0
    assert found["process_open_fds"] > 0
    assert process.poll() is None


def test_what_another_worker_has_taken_is_told_and_ends_the_start(
    lonely: tuple[int, Path, subprocess.Popen[str]], tmp_path: Path
) -> None:
    port, folder, _ = lonely
    until("the worker to serve", lambda: scraped(port))
    for given, words in (
        ({"metrics_port": str(port), "metrics_folder": str(tmp_path / "own")}, f"port {port}"),
        ({"metrics_folder": str(folder)}, "another process uses it"),
        ({"metrics_port": str(port)}, "MISSING_TABLE_METRICS_FOLDER is not"),
    ):
        with _worker(**given) as second:
            said, _ = second.communicate(timeout=90)
        assert second.returncode == 2
        assert words in said
        assert "Traceback" not in said


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(420)
def test_the_counts_of_a_worker_survive_its_children_its_broker_and_itself(
    open_lab: OpenLab, tmp_path: Path
) -> None:
    port, folder = free_port(), tmp_path / "metrics"
    bench = open_bench(open_lab, metrics_port=port, metrics_folder=folder)

    def seen(name: str, value: float) -> dict[str, float]:
        return all_seen({name: value})

    def all_seen(wanted: dict[str, float]) -> dict[str, float]:
        def look() -> dict[str, float] | None:
            found = scraped(port)
            return found if found is not None and wanted.items() <= found.items() else None

        return until(f"the metrics to show {wanted}", look)

    bench.receipt(bench.send(a_match()))
    bench.send(a_match(home_score=-1))
    bench.put(b"no JSON", message_id="m-1", **JSON)
    bench.put(json.dumps({"task": "nobody's", "id": "m-2"}).encode(), **JSON)
    all_seen(
        {
            "dead_lettered_total invalid": 1,
            "dead_lettered_total unreadable": 1,
            "dead_lettered_total unknown-task": 1,
            "task_runtime_seconds_count failed process_match_data": 1,
            "messages_processed_total created": 1,
            "messages_processed_total dead_lettered": 3,
            "message_latency_seconds_count dead_lettered queue": 0,  # their own fault
            "published_total confirmed worker-gate": 2,
            "published_total confirmed worker-retry": 1,
            "sink_seconds_count api": 2,  # the store reads a match, also one that is invalid
            "worker_consuming": 1,
        }
    )

    with frozen_api(bench):
        message_id = bench.send(a_match())
        busy = bench.busy_child()
        seen("tasks_in_flight", 1)
        busy.kill()
        until("a new child to take it up", lambda: bench.busy_child().pid != busy.pid)
        assert (scraped(port) or {})["tasks_in_flight"] == 1  # not 2: the dead one's is gone
    bench.receipt(message_id)
    # What the killed child had posted may have taken effect when the API went on.
    effects = [f"messages_processed_total {each}" for each in ("created", "duplicate")]

    def both_counted() -> dict[str, float] | None:
        # A scrape reads one file after the other: the task may end in between.
        found = seen("tasks_in_flight", 0)
        return found if sum(found[each] for each in effects) >= 2 else None

    found = until("both to be counted", both_counted)
    assert sum(found[each] for each in effects) == 2

    bench.lab.substrate.kill("broker")
    seen("worker_consuming", 0)
    bench.lab.substrate.start("broker")
    seen("worker_consuming", 1)
    # It may deliver again what was acknowledged just before it was killed; that counts, too.
    until("the queue to be empty", lambda: bench.held(PROCESS_QUEUE) == 0)
    before = seen("tasks_in_flight", 0)

    bench.lab.substrate.kill("worker")
    bench.lab.substrate.start("worker")
    after = seen("worker_consuming", 1)
    for name, value in before.items():
        if name.startswith(
            ("messages_", "dead_", "task_runtime", "sink_", "published_", "publish_")
        ):
            assert after[name] == value, name
    assert after["worker_start_time_seconds"] > before["worker_start_time_seconds"]

    bench.lab.substrate.kill("api")
    bench.send(a_match())
    until("a retry to be counted", lambda: (scraped(port) or {}).get("retries_total api"))
    bench.lab.substrate.kill("worker")
    with open_folder(folder):
        pass
    assert list(folder.glob("*.db")) == []
