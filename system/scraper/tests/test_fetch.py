"""Fetching pages from a site that cannot be trusted. Against a real server on a free port."""

import gzip
import socket
import time
from http.server import BaseHTTPRequestHandler

import pytest

from system.errors import ScheduleError
from system.scraper.address import check_address, same_site
from system.scraper.fetch import Fetcher, Patience, decode
from system.scraper.tests.site import failing, html, redirect, serve

QUICK = Patience(connect_s=30, read_s=30, whole_s=60, tries=3, pause_first_s=0.01)


def test_a_page_is_fetched_as_text() -> None:
    with serve(lambda _path, _before: html("Fútbol")) as (site, _), Fetcher(QUICK) as fetcher:
        assert fetcher.fetch(f"{site}/?page=1") == "Fútbol"


def test_a_failure_that_passes_is_tried_again() -> None:
    with (
        serve(lambda _path, before: html("at last") if before == 2 else failing(503)) as (
            site,
            asked,
        ),
        Fetcher(QUICK) as fetcher,
    ):
        assert fetcher.fetch(f"{site}/") == "at last"
        assert len(asked) == 3


@pytest.mark.parametrize(("status", "tries"), [(503, 3), (429, 3), (404, 1), (204, 1), (304, 1)])
def test_a_failure_that_stays_is_told_after_a_bounded_number_of_tries(
    status: int, tries: int
) -> None:
    with (
        serve(lambda _path, _before: failing(status)) as (site, asked),
        Fetcher(QUICK) as fetcher,
    ):
        with pytest.raises(ScheduleError, match=rf"{site}/: answered {status}"):
            fetcher.fetch(f"{site}/")
        assert len(asked) == tries


def test_nobody_there_is_a_schedule_error() -> None:
    with socket.socket() as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with Fetcher(QUICK) as fetcher, pytest.raises(ScheduleError, match="tried 3 times"):
            fetcher.fetch(url)


def test_redirects_are_followed_on_the_site_only() -> None:
    def answer(path: str, _before: int) -> object:
        return {
            "/": redirect("/moved?page=1"),
            "/moved?page=1": html("here"),
            "/away": redirect("http://localhost:1/"),
            "/file": redirect("file:///etc/hostname"),
            "/circle": redirect("/circle"),
        }[path]

    with serve(answer) as (site, asked), Fetcher(QUICK) as fetcher:  # type: ignore[arg-type]
        assert fetcher.fetch(f"{site}/") == "here"
        with pytest.raises(ScheduleError, match="redirects to another site"):
            fetcher.fetch(f"{site}/away")
        with pytest.raises(ScheduleError, match="not an http"):
            fetcher.fetch(f"{site}/file")
        with pytest.raises(ScheduleError, match="redirects more than 5 times"):
            fetcher.fetch(f"{site}/circle")
        assert asked.count("/circle") == 6


def _endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    request.close_connection = True
    try:
        while True:
            request.wfile.write(b"x" * 65536)
    except OSError:  # the reader has had enough
        return


def _bomb(request: BaseHTTPRequestHandler) -> None:
    body = gzip.compress(b"x" * 3_000_000)
    request.send_response(200)
    request.send_header("Content-Encoding", "gzip")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@pytest.mark.parametrize("answer", [_endless, _bomb])
def test_a_page_that_is_too_large_is_not_read_to_its_end(answer: object) -> None:
    with (
        serve(lambda _path, _before: answer) as (site, asked),  # type: ignore[arg-type, return-value]
        Fetcher(QUICK, bytes_max=1_000_000) as fetcher,
    ):
        with pytest.raises(ScheduleError, match="larger than 1000000 bytes"):
            fetcher.fetch(f"{site}/")
        assert len(asked) == 1


def _dripping(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    request.close_connection = True
    try:
        while True:
            request.wfile.write(b"1\r\nx\r\n")
            time.sleep(0.05)  # the fault itself: slow, yet never silent
    except OSError:
        return


def test_a_page_that_drips_meets_the_deadline() -> None:
    patience = Patience(connect_s=30, read_s=30, whole_s=0.5, tries=1, pause_first_s=0.01)
    begun = time.monotonic()
    with (
        serve(lambda _path, _before: _dripping) as (site, _),
        Fetcher(patience) as fetcher,
        pytest.raises(ScheduleError, match=r"did not arrive within 0\.5 s"),
    ):
        fetcher.fetch(f"{site}/")
    assert time.monotonic() - begun < 20  # it drips for ever


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://league.example/",
        "javascript:void(0)",
        "",
        "//league.example/",
        "http://",
        "http://[",
        "http://league.example:port/",
        "http://user:secret@league.example/",
    ],
)
def test_other_addresses_are_refused_and_passwords_never_shown(url: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        check_address(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "same"),
    [
        ("http://league.example/other", True),
        ("https://league.example/", True),
        ("http://LEAGUE.example:80/", True),
        ("http://league.example:8080/", False),
        ("https://league.example:8443/", False),
        ("http://evil.example/", False),
        ("http://league.example.evil.example/", False),
    ],
)
def test_a_site_is_its_host_and_port(target: str, same: bool) -> None:
    assert same_site("http://league.example/schedule", target) is same
    assert not same_site("https://league.example/", "http://league.example/")


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("Fútbol".encode(), "text/html", "Fútbol"),
        ("Fútbol".encode("utf-8-sig"), "text/html", "Fútbol"),
        ("Fútbol".encode("cp1252"), "text/html", "Fútbol"),
        ("Fútbol".encode("cp1252"), 'text/html; charset="iso-8859-1"', "Fútbol"),
        ("Fútbol".encode("cp1252"), "text/html; charset=no-such", "Fútbol"),
        ("Fútbol".encode("cp1252"), "text/html; charset=rot13", "Fútbol"),
        ("Fútbol".encode("cp1252"), "text/html; charset=\x00", "Fútbol"),
        (b"\xff\xfe\x00\x81", "text/html; charset=utf-8", "\ufffd\ufffd\x00\ufffd"),
    ],
)
def test_bytes_become_text_whatever_they_are(body: bytes, content_type: str, text: str) -> None:
    assert decode(body, content_type) == text
