"""Asking Prometheus: one value, or the reason why there is none. Against a real one."""

from __future__ import annotations

import http.server
import math
import os
import signal
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from lab.clients.prometheus.client import READ_S, Prometheus
from lab.clients.prometheus.extent import extent
from lab.clients.prometheus.results import NoData, NoDataReason
from lab.errors import CannotRun
from lab.substrates.local.processes import stands_still
from lab.substrates.local.series import opened, serving
from lab.wait import eventually

HELD = "still_there 1\n"
PAGE = HELD + 'of_many{n="1"} 1\nof_many{n="2"} 2\nnone_such NaN\ncounted_total 3\nleaving 5\n'


@dataclass
class Page:
    """What is scraped; tests change it."""

    text: str = PAGE


@contextmanager
def answering(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[str]:
    """An HTTP server of this process; gives `host:port`."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def page() -> Page:
    return Page()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prometheus")


@pytest.fixture(scope="module")
def prometheus(page: Page, folder: Path) -> Iterator[Prometheus]:
    """A Prometheus that scrapes `page` each second, with one alert that fires."""

    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(page.text.encode())

        def log_message(self, *_: object) -> None: ...

    alert = {"alert": "Here", "expr": "still_there == 1", "labels": {"severity": "page"}}
    broken = {"record": "twice", "expr": 'label_replace(of_many, "n", "x", "", "")'}
    rules = {"groups": [{"name": "g", "rules": [alert, broken]}]}
    (folder / "rules.yml").write_text(repr(rules), "utf-8")
    with answering(Metrics) as target:
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(folder / "rules.yml")],
            "scrape_configs": [
                {
                    "job_name": "page",
                    "static_configs": [{"targets": [target], "labels": {"instance": "page-0"}}],
                },
                {"job_name": "gone", "static_configs": [{"targets": ["127.0.0.1:1"]}]},
            ],
        }
        with serving(configuration, folder, folder / "data") as url, Prometheus(url) as asking:
            eventually(
                "the first scrapes and evaluations",
                lambda: asking.vector("still_there") and asking.alerts() and not _unknown(asking),
                within_s=60,
            )
            yield asking


def _unknown(asking: Prometheus) -> list[str]:
    """Targets and rules that have not had their first turn yet."""
    (group,) = asking._get("rules")["groups"]
    rules = [each["name"] for each in group["rules"] if each["health"] == "unknown"]
    return [*rules, *(each.job for each in asking.targets() if each.health == "unknown")]


def reason(asking: Prometheus, query: str, **more: float) -> NoDataReason:
    with pytest.raises(NoData) as caught:
        asking.value(query, **more)
    return caught.value.reason


def test_one_fresh_value_is_given(prometheus: Prometheus) -> None:
    assert prometheus.value("sum(of_many)") == 3
    assert prometheus.value("scalar(still_there)") == 1
    assert prometheus.value("still_there", at=time.time()) == 1
    assert prometheus.value("vector(2)") == 2  # rests on no sample, so none can be stale


def test_no_value_has_a_reason(prometheus: Prometheus) -> None:
    assert reason(prometheus, "no_such_series") is NoDataReason.EMPTY
    assert reason(prometheus, "of_many") is NoDataReason.MANY
    assert reason(prometheus, "none_such") is NoDataReason.NOT_FINITE
    assert reason(prometheus, "still_there / 0") is NoDataReason.NOT_FINITE
    assert reason(prometheus, "sum(still_there") is NoDataReason.REFUSED
    assert reason(prometheus, "still_there[5m]") is NoDataReason.REFUSED


def test_a_default_for_an_absent_series_needs_something_that_is_there(
    prometheus: Prometheus,
) -> None:
    assert prometheus.value("(sum(absent_total) or vector(0)) + sum(still_there)") == 1
    assert reason(prometheus, "sum(absent_total) or vector(0)") is NoDataReason.EMPTY


def test_a_sample_of_the_past_is_stale(prometheus: Prometheus) -> None:
    """An instant query would still answer: it looks back five minutes."""
    later = time.time() + 60
    assert prometheus.vector("still_there", at=later)
    assert reason(prometheus, "still_there", at=later) is NoDataReason.STALE
    assert prometheus.value("still_there", at=later, fresh_s=120) == 1


def test_a_series_that_is_scraped_no_more_is_stale_though_its_range_is_not(
    prometheus: Prometheus, page: Page
) -> None:
    page.text = PAGE.replace("leaving 5\n", "")
    eventually("the series to leave", lambda: not prometheus.vector("leaving"), within_s=60)

    assert reason(prometheus, "leaving") is NoDataReason.EMPTY
    assert prometheus.vector("sum_over_time(leaving[5m])")
    assert reason(prometheus, "sum(sum_over_time(leaving[5m]))") is NoDataReason.STALE
    assert (
        reason(prometheus, "sum(still_there) + sum(sum_over_time(leaving[5m]))")
        is NoDataReason.STALE
    )


def test_a_range_has_the_points_that_were_scraped(prometheus: Prometheus) -> None:
    now = time.time()
    (series,) = prometheus.range("still_there", now - 600, now, 1)
    assert series.labels["instance"] == "page-0"
    assert 0 < len(series.points) < 600
    assert {value for _, value in series.points} == {1.0}
    (nan,) = prometheus.range("none_such", now - 1, now, 1)
    assert math.isnan(nan.points[-1][1])


@pytest.mark.parametrize(("from_", "to", "step_s"), [(0, 20_000, 1), (10, 0, 1), (0, 10, 0)])
def test_a_range_is_bounded(from_: float, to: float, step_s: float) -> None:
    with pytest.raises(NoData) as caught:
        Prometheus("http://127.0.0.1:1").range("up", from_, to, step_s)
    assert caught.value.reason is NoDataReason.REFUSED


def test_targets_alerts_and_rules_are_told(prometheus: Prometheus) -> None:
    targets = {each.job: each for each in prometheus.targets()}
    assert targets["page"].health == "up"
    assert targets["page"].instance == "page-0"
    assert targets["gone"].health == "down"
    assert targets["gone"].error
    (alert,) = prometheus.alerts()
    assert (alert.name, alert.state, alert.labels["severity"]) == ("Here", "firing", "page")
    (group,) = prometheus._get("rules")["groups"]
    rules = {each["name"]: each for each in group["rules"]}
    here, twice = rules["Here"], rules["twice"]
    assert (here["type"], here["health"], here["state"]) == ("alerting", "ok", "firing")
    assert (twice["type"], twice["health"]) == ("recording", "err")
    assert twice["lastError"]


def test_a_paused_prometheus_is_unreachable_in_time(prometheus: Prometheus) -> None:
    (process,) = (
        each
        for each in psutil.Process().children(recursive=True)
        if prometheus.url.removeprefix("http://") in " ".join(each.cmdline())
    )
    os.kill(process.pid, signal.SIGSTOP)
    try:
        # A thread that runs goes on for a moment, and may answer in it.
        eventually("it to stand still", lambda: stands_still(process), within_s=READ_S)
        with Prometheus(prometheus.url, read_s=0.5) as impatient:
            began = time.monotonic()
            assert not impatient.ready()
            assert reason(impatient, "still_there") is NoDataReason.UNREACHABLE
            assert time.monotonic() - began < READ_S  # what one question may take otherwise
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_a_port_where_nobody_listens_is_unreachable() -> None:
    nobody = Prometheus("http://127.0.0.1:1")
    assert not nobody.ready()
    assert reason(nobody, "still_there") is NoDataReason.UNREACHABLE
    for ask in (nobody.targets, nobody.alerts, nobody.head):
        with pytest.raises(NoData):
            ask()


class Stranger(http.server.BaseHTTPRequestHandler):
    """Answers everything, though not as Prometheus would."""

    asked: int

    def do_GET(self) -> None:
        """Answer as the query says."""
        type(self).asked += 1
        kind = self.path.split("query=")[-1].partition("&")[0]
        self.send_response(503 if kind == "away" else 302 if kind == "elsewhere" else 200)
        self.send_header("Location", "/elsewhere")
        self.end_headers()
        with suppress(OSError):  # the other side has had enough
            while kind == "dripping":
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.02)
            self.wfile.write({"text": b"<html>", "other": b'{"status":"error"}'}.get(kind, b""))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("kind", ["away", "elsewhere", "text", "other", "nothing", "dripping"])
def test_what_is_not_prometheus_is_unreachable_and_asked_once(kind: str) -> None:
    Stranger.asked = 0
    with (
        answering(Stranger) as address,
        Prometheus(f"http://{address}", total_s=0.5) as asking,
    ):
        with pytest.raises(NoData) as caught:
            asking.vector(kind)
        # Who asks may have had enough before the server's thread has even begun.
        eventually("the question to arrive", lambda: Stranger.asked, within_s=60)
    assert caught.value.reason is NoDataReason.UNREACHABLE
    assert Stranger.asked == 1


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.clients.prometheus.client.BYTES_MAX", 10)
    with answering(Stranger) as address, Prometheus(f"http://{address}") as asking:
        Stranger.asked = 0
        with pytest.raises(NoData, match="larger than 10 bytes"):
            asking.vector("dripping")


def test_stored_series_are_served_as_they_were(
    prometheus: Prometheus, folder: Path, tmp_path: Path
) -> None:
    now = prometheus.value("time()")
    with opened(folder / "data") as url, Prometheus(url) as stored:
        whole = extent(stored, folder / "data")
        assert now - 10 < whole.last <= time.time()
        assert whole.first < whole.last
        assert stored.value("counted_total", at=whole.last) == 3
        assert not stored.targets()
        address = url
    assert not Prometheus(address).ready()
    with pytest.raises(CannotRun, match="holds no series"), opened(tmp_path):
        pass
