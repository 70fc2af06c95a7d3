"""The command line, as a person or a scheduler calls it."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from system.scraper.outbox import Outbox
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


def scraper(cwd: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[3])
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MISSING_TABLE_")}
    return subprocess.run(
        [sys.executable, "-m", "system.scraper", *arguments],
        cwd=cwd,
        env={**clean, "PYTHONPATH": root, "COLUMNS": "100", **variables},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def journal(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_help_shows_examples_and_every_exit_code(tmp_path: Path) -> None:
    done = scraper(tmp_path, "scrape", "--help")
    assert done.returncode == 0
    assert "python -m system.scraper scrape --file saved.html --dry-run" in done.stdout
    for words in ("0  everything", "1  some rows", "2  could not run", "3  something was read"):
        assert words in done.stdout


def test_a_dry_run_reads_and_sends_nothing_and_needs_no_settings(tmp_path: Path) -> None:
    done = scraper(tmp_path, "scrape", "--file", OCTOBER, "--dry-run", "--now", NOON, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["pages"], summary["rows"], summary["fresh"]) == (1, 10, 10)
    assert (summary["accepted"], summary["dry_run"]) == (0, True)
    assert list(tmp_path.iterdir()) == []


def test_refused_rows_are_told_in_the_table_and_by_the_exit_code(tmp_path: Path) -> None:
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
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = scraper(tmp_path, "scrape", *arguments)
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).replace("│", " ").split())
    assert words in said
    assert "Traceback" not in said


def test_pages_of_a_site_are_walked_and_its_limit_reported(tmp_path: Path) -> None:
    def answer(path: str, _before: int) -> object:
        n = int(path.partition("page=")[2] or 1)
        return html(page(row(number=str(n)), following=f"?page={n + 1}"))

    with serve(answer) as (site, _):  # type: ignore[arg-type]
        done = scraper(
            tmp_path, "scrape", "--url", f"{site}/", "--dry-run", "--pages-max", "3", "--json"
        )
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["pages"], summary["fresh"]) == (1, 3, 3)
    assert "limit of 3 pages" in summary["incomplete"][0]


def test_with_everything_away_matches_wait_in_the_outbox_and_a_repeated_run_adds_none(
    tmp_path: Path, away: dict[str, str]
) -> None:
    command = ["scrape", "--file", OCTOBER, "--mode", "http", "--journal", "run.jsonl", "--json"]
    for _ in range(2):
        done = scraper(tmp_path, *command, "--now", NOON, "--seed", "7", **away)
        assert done.returncode == 0, done.stderr
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


def test_draining_an_empty_outbox_is_well(tmp_path: Path, away: dict[str, str]) -> None:
    done = scraper(tmp_path, "drain", "--mode", "http", **away)
    assert done.returncode == 0, done.stderr
    assert "still waiting 0" in done.stdout
