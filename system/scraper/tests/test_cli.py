"""The command line, as a person or a scheduler calls it."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.scraper.outbox import Outbox
from system.scraper.summary import EXIT_CODES
from system.scraper.tests.conftest import Scraper
from system.scraper.tests.site import PAGES, html, page, row, serve

OCTOBER = str(PAGES / "october.html")
NOON = "2025-11-03T12:00:00-05:00"


@pytest.fixture
def away() -> Iterator[dict[str, str]]:
    """Settings whose backend refuses connections, without opening any other port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield {
            "MISSING_TABLE_API_URL": f"http://127.0.0.1:{taken.getsockname()[1]}",
            "MISSING_TABLE_API_TOKEN": "token",
        }


def journal(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_help_shows_examples_and_every_exit_code(tmp_path: Path, scraper: Scraper) -> None:
    done = scraper(tmp_path, "scrape", "--help")
    assert done.returncode == 0
    assert "python -m system.scraper scrape --file saved.html --dry-run" in done.stdout
    for code, meaning in EXIT_CODES.items():
        assert f"{code}  {meaning}" in done.stdout


def test_a_dry_run_reads_and_sends_nothing_and_needs_no_settings(
    tmp_path: Path, scraper: Scraper
) -> None:
    done = scraper(tmp_path, "scrape", "--file", OCTOBER, "--dry-run", "--now", NOON, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["pages"], summary["rows"], summary["fresh"]) == (1, 10, 10)
    assert (summary["accepted"], summary["dry_run"]) == (0, True)
    assert list(tmp_path.iterdir()) == []


def test_refused_rows_are_told_in_the_table_and_by_the_exit_code(
    tmp_path: Path, scraper: Scraper
) -> None:
    done = scraper(tmp_path, "scrape", "--file", str(PAGES / "quirks.html"), "--dry-run")
    assert done.returncode == 1
    assert "SEE REPORT" in done.stdout
    assert "nothing was sent" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--file", "none.html", "--dry-run"], "none.html: cannot be read"),
        (["--url", "ftp://league.example/", "--dry-run"], "not an http:// or https://"),
        (["--file", OCTOBER], "MISSING_TABLE_BROKER_URL is not set"),
        (["--file", OCTOBER, "--mode", "http"], "MISSING_TABLE_API_URL"),
        (["--file", OCTOBER, "--url", "http://league.example/"], "either --url or --file"),
        ([], "either --url or --file"),
        (["--file", OCTOBER, "--dry-run", "--now", "2025-11-03T12:00:00"], "has no offset"),
        (["--file", OCTOBER, "--dry-run", "--now", "noon"], "Invalid isoformat"),
        (["--file", OCTOBER, "--mode", "pigeon"], "pigeon"),
        (["--file", OCTOBER, "--dry-run", "--journal", "."], "journal .: cannot be written"),
    ],
)
def test_what_cannot_run_says_why_and_exits_with_2(
    tmp_path: Path, arguments: list[str], words: str, scraper: Scraper
) -> None:
    done = scraper(tmp_path, "scrape", *arguments)
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).replace("│", " ").split())
    assert words in said
    assert "Traceback" not in said


def test_pages_of_a_site_are_walked_and_its_limit_reported(
    tmp_path: Path, scraper: Scraper
) -> None:
    def answer(path: str, _before: int) -> object:
        n = int(path.partition("page=")[2] or 1)
        return html(page(row(number=str(n)), following=f"?page={n + 1}"))

    with serve(answer) as (site, _):  # type: ignore[arg-type]
        done = scraper(
            tmp_path, "scrape", "--url", f"{site}/", "--dry-run", "--pages-max", "3", "--json"
        )
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["pages"], summary["fresh"]) == (4, 3, 3)
    assert "limit of 3 pages" in summary["incomplete"][0]


def test_with_everything_away_matches_wait_in_the_outbox_and_a_repeated_run_adds_none(
    tmp_path: Path, away: dict[str, str], scraper: Scraper
) -> None:
    command = ["scrape", "--file", OCTOBER, "--mode", "http", "--journal", "run.jsonl", "--json"]
    for _ in range(2):
        done = scraper(tmp_path, *command, "--now", NOON, "--seed", "7", **away)
        assert done.returncode == 5, done.stderr  # safe, and not where it was to go
        assert json.loads(done.stdout)["accepted_by_way"] == {"outbox": 10}
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
        assert len(outbox) == 10
        waiting = {each.message_id for each in outbox.head(100)}
    noted = [event for event in journal(tmp_path / "run.jsonl") if event["event"] == "accepted"]
    assert {event["message_id"] for event in noted} == waiting
    assert {event["way"] for event in noted} == {"outbox"}

    assert scraper(tmp_path, "waiting").stdout == "10\n"
    drained = scraper(tmp_path, "drain", "--mode", "http", "--json", **away)
    assert drained.returncode == 3
    assert json.loads(drained.stdout)["waiting"] == 10


def test_draining_an_empty_outbox_is_well(
    tmp_path: Path, away: dict[str, str], scraper: Scraper
) -> None:
    with Outbox(tmp_path / "outbox.sqlite"):
        pass
    done = scraper(tmp_path, "drain", "--mode", "http", **away)
    assert done.returncode == 0, done.stderr
    assert "still waiting 0" in done.stdout


@pytest.mark.parametrize("command", [["waiting"], ["refused", "--json"], ["drain"]])
@pytest.mark.parametrize(
    ("made_of", "words"), [(None, "there is no such file"), (b"", "this file is no outbox")]
)
def test_looking_at_an_outbox_that_is_none_names_it_and_creates_nothing(
    tmp_path: Path,
    command: list[str],
    made_of: bytes | None,
    words: str,
    away: dict[str, str],
    scraper: Scraper,
) -> None:
    path = tmp_path / "elsewhere.sqlite"
    if made_of is not None:
        path.write_bytes(made_of)
    settings = {"MISSING_TABLE_OUTBOX": str(path), "MISSING_TABLE_BROKER_URL": "amqp://u:p@h/"}
    done = scraper(tmp_path, *command, **away, **settings)
    assert done.returncode == 2, done.stdout
    assert f"outbox {path}: {words}" in done.stderr
    assert "Traceback" not in done.stderr
    there = [(each.name, each.read_bytes()) for each in tmp_path.iterdir()]
    assert there == ([] if made_of is None else [("elsewhere.sqlite", made_of)])


@pytest.mark.parametrize(
    "url", ["nonsense", "http://host/", "amqp://", "amqp://u:secret/word@host/", "amqp://h:99999/"]
)
@pytest.mark.parametrize("command", [["drain"], ["scrape", "--file", str(PAGES / "empty.html")]])
def test_an_address_that_is_no_brokers_is_refused_though_nothing_is_to_be_sent(
    tmp_path: Path, command: list[str], url: str, scraper: Scraper
) -> None:
    with Outbox(tmp_path / "outbox.sqlite"):
        pass
    done = scraper(tmp_path, *command, MISSING_TABLE_BROKER_URL=url)
    assert done.returncode == 2, done.stdout
    assert "MISSING_TABLE_BROKER_URL is no address like amqp://" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr
