"""A run that may have missed something says so: by its exit code, in words, and as a metric.

Every page is served over HTTP and read by the command, as a scheduler calls it.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from system.metrics.tests.looking import kept
from system.scraper.baseline import Baseline, keep_matches, read_matches
from system.scraper.outbox import Outbox
from system.scraper.tests.conftest import Scraper
from system.scraper.tests.site import html, page, row, serve

Site = Callable[[int], str]
"""The page behind a number."""

NEXT = 'rel="next">Next'
SUCCESS = "scraper_last_success_timestamp_seconds"


def match(number: int) -> str:
    return row(number=f"{101200 + number}\t\nMALE")


def plain(number: int, *rows: str, last: int = 3, **changes: str) -> str:
    """One of three pages, without a word on how many there are."""
    return page(
        *(rows or (match(number),)),
        following=f"?page={number + 1}" if number < last else None,
        **changes,
    )


def empty(number: int) -> str:
    return page(following="?page=3") if number == 2 else plain(number)


def renamed(_number: int) -> str:
    return page(match(1), match(2)).replace("table-content-row", "fixture-line")


def expired(_number: int) -> str:
    return page("<p>Your session has expired. Please sign in again.</p>")


def without_heading(number: int) -> str:
    return plain(number).replace(' data-league="Homegrown"', "")


def headed(number: int) -> str:
    return plain(number, league="Pro Player")


def ahead(number: int, active: int | None = None, last: int = 3) -> str:
    """A page that shows the numbers of all pages, as the real site does."""
    numbers = "".join(
        f"<li{' class=active' if each == (active or number) else ''}>"
        f'<a href="?page={each}">{each}</a></li>'
        for each in range(1, last + 1)
    )
    return plain(number, last=last).replace("<li", f"{numbers}<li", 1)


INCOMPLETE: dict[str, tuple[Site, str, str]] = {
    "the server ignores the page number": (lambda n: plain(n, match(1)), "repeated", "repeat"),
    "of two pages, the second is the first": (
        lambda n: plain(n, match(1), last=2),
        "repeated",
        "repeat",
    ),
    "it ignores it, and counts them all the same": (
        lambda n: ahead(n).replace("10120", "9920").replace(f"9920{n}", "99201"),
        "repeated",
        "repeat",
    ),
    "Next is an icon": (
        lambda n: plain(n).replace(NEXT, '><i class="icon-right"></i>'),
        "pagination",
        "no link that says Next",
    ),
    "Next has no href": (
        lambda _n: page(match(1), following="x").replace(' href="x"', ""),
        "pagination",
        "has no address",
    ),
    "Next is #": (lambda _n: page(match(1), following="#"), "pagination", "circle"),
    "Next leads in a circle": (
        lambda n: page(match(n), following=f"?page={n % 3 + 1}"),
        "pagination",
        "circle",
    ),
    "Next is disabled on the second of three": (
        lambda n: ahead(n) if n < 2 else ahead(n).replace('<li class="">', '<li class="disabled">'),
        "pagination",
        "page 2, and there are pages up to 3",
    ),
    "Next is outside of what is known as pagination": (
        lambda n: plain(n).replace("pagination", "pager"),
        "pagination",
        "a link says Next",
    ),
    "a page in the middle is empty": (empty, "empty", "no rows"),
    "the last page is empty": (
        lambda n: page() if n == 3 else plain(n),
        "empty",
        "no rows",
    ),
    "the classes of rows have another name": (renamed, "unrecognised", "no rows that are known"),
    "the session has expired": (expired, "unrecognised", "session has expired"),
    "the heading names an unknown league": (headed, "league", "'Pro Player'"),
    "no heading names a league": (without_heading, "league", "no heading"),
    "all rows are refused": (
        lambda n: plain(n, row(when=f"soon {n}")),
        "refused",
        "all 3 rows",
    ),
}

COMPLETE: dict[str, Site] = {
    "three pages": plain,
    "three numbered pages": ahead,
    "a page without pagination": lambda _n: page(match(1)).partition("<ul")[0],
    "a page repeated, its own rows on the next": lambda n: plain(n, match(max(1, n - 1))),
    "the last page leads to itself": lambda n: (
        ahead(n) if n < 3 else ahead(n).replace('disabled"><a rel', '"><a href="?page=3" rel')
    ),
    "the only page leads to itself, under another address": lambda _n: ahead(
        1, active=1, last=1
    ).replace('disabled"><a rel', '"><a href="?page=1" rel'),
    "nothing is scheduled": lambda _n: page(),
    "nothing is scheduled, and the page says so": lambda _n: page(
        "<p>There are no matches in this list.</p>"
    ).partition("<ul")[0],
}


def read(
    scraper: Scraper, folder: Path, site: Site, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Read a site whose first page is that of number 1."""
    with serve(lambda path, _before: html(site(int(path.partition("page=")[2] or 1)))) as (at, _):
        return scraper(folder, "scrape", "--url", f"{at}/", "--json", *arguments)


def summary(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("what", INCOMPLETE)
def test_what_may_have_missed_something_says_so(
    what: str, tmp_path: Path, counting_scraper: Scraper
) -> None:
    site, reason, words = INCOMPLETE[what]
    done = read(counting_scraper, tmp_path, site, "--mode", "http")
    assert done.returncode == 4, done.stdout
    found = summary(done)
    assert found["meaning"].startswith("incomplete")
    assert words in " ".join(found["incomplete"])
    warned = [json.loads(line) for line in done.stderr.splitlines() if '"incomplete"' in line]
    assert {each["reason"] for each in warned} == {reason}
    counted = kept(tmp_path / "metrics")
    assert counted["scraper_runs_total incomplete"] == 1
    assert counted[f"scraper_incomplete_total {reason}"] == 1
    assert counted[SUCCESS] == 0


@pytest.mark.parametrize("what", COMPLETE)
def test_what_only_looks_strange_is_complete(
    what: str, tmp_path: Path, counting_scraper: Scraper
) -> None:
    done = read(counting_scraper, tmp_path, COMPLETE[what], "--dry-run")
    assert done.returncode == 0, done.stdout
    assert summary(done)["incomplete"] == []


def test_what_was_read_of_an_incomplete_schedule_is_sent_all_the_same(
    tmp_path: Path, counting_scraper: Scraper
) -> None:
    found = summary(
        read(counting_scraper, tmp_path, INCOMPLETE["Next is an icon"][0], "--mode", "http")
    )
    assert found["accepted_by_way"] == {"outbox": 1}


def listed(count: int) -> Site:
    return lambda _number: page(*map(match, range(count)))


def test_far_fewer_matches_than_the_last_good_run_is_incomplete_until_somebody_accepts_it(
    tmp_path: Path, counting_scraper: Scraper
) -> None:
    shown = 40
    with serve(lambda _path, _before: html(listed(shown)(1))) as (at, _):

        def run(*more: str, **settings: str) -> subprocess.CompletedProcess[str]:
            return counting_scraper(
                tmp_path, "scrape", "--url", f"{at}/", "--json", "--mode", "http", *more, **settings
            )

        codes = [run().returncode]
        shown = 19
        few = run()
        codes += [few.returncode, run("--dry-run").returncode]
        codes.append(run(MISSING_TABLE_MATCHES_SHARE_MIN="0").returncode)
        codes.append(run().returncode)
    assert codes == [5, 4, 4, 5, 5]
    (words,) = summary(few)["incomplete"]
    assert "19 matches were read, and 40 by the last good run" in words
    counted = kept(tmp_path / "metrics")
    assert counted["scraper_incomplete_total few-rows"] == 1
    assert counted["scraper_runs_total incomplete"] == 1
    assert counted["scraper_runs_total spooled"] == 3


@pytest.mark.parametrize(
    ("before", "share_min", "now", "is_told"),
    [
        (40, 0.5, 20, False),
        (40, 0.5, 19, True),
        (40, 0.4, 16, False),
        (40, 0.4, 15, True),
        (40, 0.0, 0, False),
        (40, 1.0, 39, True),
        (40, 0.5, 400, False),
        (20, 0.5, 9, True),
        (19, 0.5, 0, False),  # a weekend more or less
        (0, 0.5, 0, False),
    ],
)
def test_what_is_far_fewer_is_settable(
    before: int, share_min: float, now: int, is_told: bool
) -> None:
    assert (Baseline(before, share_min).doubt(now) is not None) == is_told


def test_as_many_schedules_as_one_likes_keep_a_bounded_number_of_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("system.scraper.baseline.KEPT_MAX", 2)
    path = tmp_path / "outbox?.sqlite"
    assert read_matches(path, "a") is None
    assert not path.exists()
    with Outbox(path) as outbox:
        assert read_matches(path, "a") is None
        for name, matches in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
            keep_matches(outbox, name, matches)
        assert [read_matches(path, name) for name in "abc"] == [3, None, 4]


def test_only_runs_at_the_same_addresses_are_compared(
    tmp_path: Path, counting_scraper: Scraper
) -> None:
    with serve(lambda path, _before: html(listed(2 if "few" in path else 40)(1))) as (at, _):
        many = ("--url", f"{at}/many", "--url", f"{at}/more")
        codes = [
            counting_scraper(tmp_path, "scrape", *urls, "--mode", "http").returncode
            for urls in (many, ("--url", f"{at}/few"), (*many[2:], *many[:2]))
        ]
    assert codes == [5, 5, 5]
