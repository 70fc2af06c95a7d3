"""What the scraper counts, kept over its runs and their deaths, and served by its exporter."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3

from system.contract.envelope import wrap_arguments
from system.errors import Unavailable
from system.metrics.definitions import MetricFactory
from system.metrics.tests.looking import kept, scraped, told
from system.scraper.gaps import Gap
from system.scraper.metrics import RunResult, ScraperMetrics
from system.scraper.outbox import Outbox
from system.scraper.outbox_stats import OutboxStats, read_stats
from system.scraper.summary import EXIT_CODES
from system.scraper.tests.conftest import Scraper, counting
from system.scraper.tests.site import PAGES
from system.tests.ports import free_port

EMPTY = str(PAGES / "empty.html")
OCTOBER = str(PAGES / "october.html")
QUIRKS = str(PAGES / "quirks.html")


@contextmanager
def exporter(folder: Path) -> Iterator[int]:
    """The exporter, on the port that it gives."""
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "system.scraper", "metrics", "--port", str(port)],
        env=counting(folder, MISSING_TABLE_SCRAPE_INTERVAL_S="60"),
    ) as process:
        try:
            deadline = time.monotonic() + 90
            while scraped(port) is None:
                assert process.poll() is None, "the exporter ended"
                assert time.monotonic() < deadline, "the exporter does not answer"
                time.sleep(0.05)
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def page(port: int) -> dict[str, float]:
    found = scraped(port)
    assert found is not None
    return found


def test_every_series_is_there_at_0() -> None:
    factory = MetricFactory()
    ScraperMetrics(factory)
    found = told(factory)
    for name in (
        *(f"accepted_total {way}" for way in ("queue", "http", "outbox")),
        *(f"queue_bypassed_total {way}" for way in ("http", "outbox")),
        *(f"drained_total {way}" for way in ("queue", "http")),
        *(
            f"scraper_runs_total {result}"
            for result in (
                *("complete", "partial", "failed", "undelivered", "incomplete", "spooled"),
            )
        ),
        *(f"scraper_incomplete_total {gap}" for gap in Gap),
        *(f"scraper_rows_total {outcome}" for outcome in ("read", "refused", "repeated")),
        "scraper_pages_total",
        "published_total confirmed scraper",
        "publish_seconds_bucket 0.5 scraper",
        "publisher_unconfirmed scraper",
        "scraper_last_success_timestamp_seconds",
    ):
        assert found[name] == 0, name


def test_every_exit_code_has_its_result() -> None:
    results = [RunResult.of(code) for code in EXIT_CODES]
    assert results == list(RunResult)
    assert all(
        EXIT_CODES[code].startswith(f"{result}: ")
        for code, result in zip(EXIT_CODES, results, strict=True)
        if result is not RunResult.FAILED
    )


def test_gaps_of_a_run_that_read_nothing_are_not_counted() -> None:
    factory = MetricFactory()
    metrics = ScraperMetrics(factory)
    metrics.ran(2, 1.0, [Gap.UNREACHABLE])
    metrics.ran(3, 1.0, [Gap.UNREACHABLE])
    assert told(factory)["scraper_incomplete_total unreachable"] == 1


def test_runs_add_up_whatever_came_of_them(tmp_path: Path, counting_scraper: Scraper) -> None:
    begun = time.time()
    # Its matches are safe, in the outbox: a success, and still not where they were to go.
    assert counting_scraper(tmp_path, "scrape", "--file", OCTOBER, "--mode", "http").returncode == 5
    first = kept(tmp_path / "metrics")
    assert counting_scraper(tmp_path, "scrape", "--file", EMPTY, "--mode", "http").returncode == 0
    second = kept(tmp_path / "metrics")
    some = ("--file", QUIRKS, "--file", "none.html")
    assert counting_scraper(tmp_path, "scrape", *some, "--mode", "http").returncode == 4
    assert (
        counting_scraper(tmp_path, "scrape", "--file", "none.html", "--mode", "http").returncode
        == 2
    )
    assert (
        counting_scraper(tmp_path, "scrape", "--file", OCTOBER, "--mode", "queue").returncode == 2
    )
    assert counting_scraper(tmp_path, "scrape", "--file", OCTOBER, "--dry-run").returncode == 0
    found = kept(tmp_path / "metrics")
    assert first["accepted_total outbox"] == first["scraper_rows_total read"] == 10
    assert {
        result: found[f"scraper_runs_total {result}"] for result in ("complete", "incomplete")
    } == {"complete": 1, "incomplete": 1}
    assert found["scraper_runs_total spooled"] == 1
    assert found["scraper_runs_total failed"] == 2
    assert found["scraper_pages_total"] == 3
    assert found["scraper_rows_total refused"] > 0
    assert found["accepted_total outbox"] == found["scraper_rows_total read"] > 10
    assert begun <= first["scraper_last_success_timestamp_seconds"]
    success = "scraper_last_success_timestamp_seconds"
    assert first[success] < second[success] == found[success]
    assert found["scraper_last_run_timestamp_seconds"] > found[success]
    assert 0 < found["scraper_run_duration_seconds"] < time.time() - begun


def test_what_a_run_has_counted_is_there_though_it_was_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "system.tests.weakened.dying", "system.scraper"),
            *("scrape", "--file", OCTOBER, "--file", QUIRKS, "--mode", "http"),
        ],
        env=counting(tmp_path, DYING_AT="before system.scraper.outbox:Outbox.put 2"),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    found = kept(tmp_path / "metrics")
    assert found["accepted_total outbox"] == 10
    assert found["scraper_pages_total"] == 2
    assert found["scraper_runs_total complete"] == found["scraper_runs_total failed"] == 0


def test_the_exporter_serves_what_runs_have_counted_and_what_waits(
    tmp_path: Path, counting_scraper: Scraper
) -> None:
    with exporter(tmp_path) as port:
        before, begun = page(port), time.time()
        assert (
            counting_scraper(tmp_path, "scrape", "--file", OCTOBER, "--mode", "http").returncode
            == 5
        )
        after, passed = page(port), time.time() - begun
        with Outbox(tmp_path / "outbox.sqlite") as outbox:
            outbox.refuse({outbox.head(1)[0].message_id: "no such league"})
        aside = page(port)
        (tmp_path / "outbox.sqlite").write_text("nonsense " * 1000)
        for beside in ("-wal", "-shm"):
            (tmp_path / f"outbox.sqlite{beside}").unlink(missing_ok=True)
        answer = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", timeout=30)
    assert before["accepted_total outbox"] == before["outbox_messages waiting"] == 0
    assert before["outbox_oldest_age_seconds"] == 0
    assert before["scraper_runs_total spooled"] == 0
    assert before["scraper_interval_seconds"] == 60
    assert before["process_open_fds"] > 0
    assert after["accepted_total outbox"] == after["outbox_messages waiting"] == 10
    assert 0 < after["outbox_oldest_age_seconds"] < passed
    assert after["scraper_runs_total spooled"] == 1
    assert (aside["outbox_messages waiting"], aside["outbox_messages refused"]) == (9, 1)
    assert answer.status == 500
    assert b"outbox.sqlite: cannot be read" in answer.data


def test_an_exporter_without_a_folder_or_port_says_so(
    tmp_path: Path, counting_scraper: Scraper
) -> None:
    done = counting_scraper(
        tmp_path, "metrics", "--port", "1", MISSING_TABLE_METRICS_HOST="192.0.2.1"
    )
    assert done.returncode == 2
    assert "metrics cannot be served on 192.0.2.1 port 1" in done.stderr
    clean = {k: v for k, v in counting(tmp_path).items() if "METRICS" not in k}
    done = subprocess.run(
        [sys.executable, "-m", "system.scraper", "metrics", "--port", "0"],
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "MISSING_TABLE_METRICS_FOLDER is not set" in done.stderr


def _put(outbox: Outbox, message_id: str, ago: timedelta) -> None:
    made_at = datetime.now(UTC) - ago
    outbox.put([wrap_arguments([{}], {}, message_id=message_id, published_at=made_at)])


def test_the_age_is_that_of_the_first_that_waits(tmp_path: Path) -> None:
    path = tmp_path / "outbox?.sqlite"
    assert read_stats(path) == OutboxStats()
    assert not path.exists()
    with Outbox(path) as outbox:
        _put(outbox, "refused", timedelta(hours=3))
        _put(outbox, "first", timedelta(hours=2))
        _put(outbox, "second", timedelta(hours=1))
        outbox.refuse({"refused": "?"})
        found = read_stats(path)
    assert (found.waiting, found.refused) == (2, 1)
    assert found.since is not None
    assert datetime.now(UTC) - found.since == pytest.approx(
        timedelta(hours=2), abs=timedelta(minutes=1)
    )
    assert read_stats(path) == found  # also once nobody has it open


def test_it_is_looked_at_while_somebody_writes_and_stops_nobody(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path) as outbox:
        _put(outbox, "a", timedelta())
        with outbox.transaction("IMMEDIATE"):
            assert read_stats(path).waiting == 1
        _put(outbox, "b", timedelta())
        assert read_stats(path).waiting == 2


def test_what_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()
    for other in (path, tmp_path):
        with pytest.raises(Unavailable, match="cannot be read"):
            read_stats(other)
