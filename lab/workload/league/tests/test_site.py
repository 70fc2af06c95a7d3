"""The site as a scraper meets it: a real server on a free port."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from threading import Event, Semaphore, Thread
from types import SimpleNamespace
from urllib.parse import urljoin

import pytest
import urllib3
from selectolax.lexbor import LexborHTMLParser

from lab.wait import stopwatch
from lab.workload.league import server as serving
from lab.workload.league.season import Season
from lab.workload.league.server import LeagueServer
from lab.workload.league.tests.reading import node, plain
from lab.workload.league.views import Views, schedule_path

WITHIN_S = 60.0
TIMEOUT = urllib3.Timeout(connect=10, read=2 * WITHIN_S)


@pytest.fixture(scope="module")
def small() -> Season:
    return Season.generate(21, 150)


@contextmanager
def served(season: Season, page_delay_s: float = 0.0) -> Iterator[str]:
    server = LeagueServer(("127.0.0.1", 0), Views(season), page_delay_s=page_delay_s)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    with server:
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join(10)


@pytest.fixture(scope="module")
def site(small: Season) -> Iterator[str]:
    with served(small) as url:
        yield url


@pytest.fixture
def client() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(timeout=TIMEOUT, retries=False, maxsize=16, block=True) as pool:
        yield pool


def walked(client: urllib3.PoolManager, url: str) -> Iterator[LexborHTMLParser]:
    """Follow Next from page to page, until there is none or it leads where we have been."""
    visited: set[str] = set()
    while url not in visited:
        visited.add(url)
        answer = client.request("GET", url)
        assert answer.status == 200
        tree = LexborHTMLParser(answer.data.decode())
        yield tree
        link = tree.css_first('.pagination li:not(.disabled) a[rel="next"]')
        if link is None:
            return
        url = urljoin(url, str(link.attributes["href"]))


@pytest.mark.parametrize("query", ["", "?league=Homegrown", "?league=Academy"])
def test_a_walk_through_the_pages_meets_every_match_of_its_leagues(
    client: urllib3.PoolManager, site: str, small: Season, query: str
) -> None:
    for moment in small.moments(6):
        wanted = query.rpartition("=")[2]
        rows = [row for row in small.rows_at(moment) if row.league in (wanted or row.league)]
        seen = set()
        for tree in walked(client, urljoin(site, schedule_path(moment) + query)):
            league = str(node(tree, "h1").attributes["data-league"])
            assert league in (wanted or league)
            seen |= {plain(r.text(separator=" ")) for r in tree.css(".table-content-row.hidden-xs")}
        assert len(seen) == len(rows)


def test_the_index_leads_to_schedules(client: urllib3.PoolManager, site: str) -> None:
    tree = LexborHTMLParser(client.request("GET", site).data.decode())
    links = [str(a.attributes["href"]) for a in tree.css("a")]
    assert len(links) == 36
    assert client.request("GET", urljoin(site, links[7])).status == 200


def test_health_tells_which_season_it_is(client: urllib3.PoolManager, site: str) -> None:
    answer = client.request("GET", urljoin(site, "healthz"))
    assert json.loads(answer.data) == {"status": "ok", "seed": 21, "matches": 150}


AT = "at/2025-10-19T21:00:00Z/schedule"


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("nowhere", 404, "no such page"),
        ("at/2025-10-19T21:00:00Z", 404, "no such page"),
        ("at/yesterday/schedule", 400, "ISO 8601"),
        ("at/2025-10-19T21:00:00/schedule", 400, "offset"),
        ("at/9999-12-31T23:59:59-12:00/schedule", 400, "2000 to 2099"),
        ("at/0001-01-01T00:00:00%2B12:00/schedule", 400, "2000 to 2099"),
        (f"{AT}?page=0", 400, "from 1"),
        (f"{AT}?page=two", 400, "from 1"),
        (f"{AT}?page=", 400, "from 1"),
        (f"{AT}?page=%C2%B2", 400, "from 1"),
        (f"{AT}?page=99999999999", 400, "from 1"),
        (f"{AT}?page=4000", 400, "pages 1 to"),
        (f"{AT}?league=homegrown", 400, "Homegrown and Academy"),
        (f"{AT}?page=1&page=2", 400, "each once"),
        (f"{AT}?sort=date", 400, "league and page"),
        ("x" * 600, 414, "500 characters"),
    ],
)
def test_a_wrong_address_is_told_what_is_wrong(
    client: urllib3.PoolManager, site: str, path: str, status: int, why: str
) -> None:
    answer = client.request("GET", urljoin(site, path))
    assert answer.status == status
    assert why in answer.data.decode()


@pytest.mark.parametrize(
    "text",
    [
        "2025-10-19T17:00:00-04:00",
        "2025-10-19T21:00:00+00:00",
        "2025-10-19T21:00:00%2B00:00",
    ],
)
def test_a_moment_may_be_spelled_with_any_offset(
    client: urllib3.PoolManager, site: str, text: str
) -> None:
    pages = [
        client.request("GET", urljoin(site, f"at/{t}/schedule")).data for t in (AT[3:23], text)
    ]
    first, second = (re.findall(r"<div.*</div>", page.decode(), re.DOTALL) for page in pages)
    assert first == second != []


def test_a_page_takes_its_time(client: urllib3.PoolManager, small: Season) -> None:
    with served(small, page_delay_s=0.4) as url:
        page = urljoin(url, AT)
        with stopwatch() as seconds:
            assert client.request("GET", page).status == 200
        assert seconds() >= 0.4


def test_pages_do_not_wait_for_each_other(
    client: urllib3.PoolManager, small: Season, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten take their time at once, here until they are told; and what is no page goes past them."""
    waiting, told = Semaphore(0), Event()

    def take_time(_: float) -> None:
        waiting.release()
        told.wait(WITHIN_S)

    monkeypatch.setattr(serving, "time", SimpleNamespace(sleep=take_time))
    with served(small, page_delay_s=1) as url, ThreadPoolExecutor(10) as pool:
        asked = [pool.submit(client.request, "GET", urljoin(url, AT)) for _ in range(10)]
        try:
            assert all(waiting.acquire(timeout=WITHIN_S / 2) for _ in asked)
            assert client.request("GET", urljoin(url, "healthz")).status == 200
            assert not any(each.done() for each in asked)
        finally:
            told.set()
        assert {each.result().status for each in asked} == {200}


def test_two_sites_of_one_seed_answer_alike(
    client: urllib3.PoolManager, site: str, small: Season
) -> None:
    with served(Season.generate(21, 150)) as other:
        path = f"{schedule_path(small.moments(3)[1])}?page=2"
        answers = [client.request("GET", urljoin(url, path)).data for url in (site, other)]
    assert answers[0] == answers[1]


@contextmanager
def started(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [
        sys.executable,
        "-m",
        "lab.workload.league.site",
        "--port",
        "0",
        "--matches",
        "30",
        *options,
    ]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            yield process, told.rpartition(" ")[2].strip()
        finally:
            process.kill()


@pytest.mark.parametrize(("options", "lines"), [((), 0), (("--verbose",), 1)])
def test_the_program_serves_logs_only_when_asked_and_ends_quietly_when_told(
    client: urllib3.PoolManager, options: tuple[str, ...], lines: int
) -> None:
    with started(*options) as (process, url):
        assert client.request("GET", urljoin(url, "healthz")).status == 200
        process.send_signal(signal.SIGTERM)  # the connection of the client is still open
        out, err = process.communicate(timeout=WITHIN_S)
        assert (process.returncode, err, len(out.splitlines())) == (0, "", lines)


def test_a_port_in_use_and_an_impossible_season_are_told_in_a_line(site: str) -> None:
    port = site.rstrip("/").rpartition(":")[2]
    for options in (("--port", port), ("--port", "0", "--matches", "900000")):
        command = [sys.executable, "-m", "lab.workload.league.site", *options]
        run = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
        assert run.returncode == 2
        assert "cannot start" in run.stderr
        assert len(run.stderr.splitlines()) == 1


def test_schedule_paths_are_in_utc() -> None:
    assert schedule_path(datetime.fromisoformat("2025-10-19T17:00:00-04:00")) == f"/{AT}"
