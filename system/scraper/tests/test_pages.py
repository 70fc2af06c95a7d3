"""Walking from page to page over a real server, through every trap of its pagination."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from system.scraper.fetch import Fetcher, Patience
from system.scraper.gaps import Gap, Remark
from system.scraper.pages import one_ahead, saved, walk
from system.scraper.parsing.schedule import Schedule
from system.scraper.tests.site import PAGES, Answer, failing, html, page, row, serve

QUICK = Patience(connect_s=30, read_s=30, whole_s=60, tries=2, pause_first_s=0.01)


def numbered(path: str) -> int:
    return int(path.partition("page=")[2] or 1)


def match(number: int) -> str:
    return row(number=f"{101200 + number}\t\nMALE")


def walked(
    answer: Callable[[str, int], Answer], *paths: str, pages_max: int = 500
) -> tuple[list[Schedule], list[Remark], list[str]]:
    with serve(answer) as (site, asked), Fetcher(QUICK) as fetcher:
        found = list(
            walk(
                [site + path for path in paths or ("/",)],
                fetch=fetcher.fetch,
                now=lambda: datetime.now(UTC),
                pages_max=pages_max,
            )
        )
    read = [each for each in found if isinstance(each, Schedule)]
    return read, [each for each in found if isinstance(each, Remark)], asked


def ids(read: list[Schedule]) -> list[str | None]:
    return [each.external_match_id for schedule in read for each in schedule.matches]


def test_every_page_is_read_until_next_is_disabled() -> None:
    def answer(path: str, _before: int) -> Answer:
        n = numbered(path)
        return html(page(match(n), following=f"?page={n + 1}" if n < 3 else None))

    read, stops, asked = walked(answer)
    assert ids(read) == ["101201", "101202", "101203"]
    assert stops == []
    assert asked == ["/", "/?page=2", "/?page=3"]


def test_a_walk_without_pagination_is_one_page() -> None:
    read, stops, _ = walked(lambda _path, _before: html(page(match(1)).partition("<ul")[0]))
    assert (len(read), stops) == (1, [])


def test_pages_that_run_in_a_circle_are_read_once() -> None:
    def answer(path: str, _before: int) -> Answer:
        n = numbered(path)
        return html(page(match(n), following=f"?page={n % 3 + 1}#top"))

    read, (stop,), asked = walked(answer, "/?page=1")
    assert ids(read) == ["101201", "101202", "101203"]
    assert (stop.gap, len(asked)) == (Gap.PAGINATION, 3)
    assert "circle" in stop.text


def test_one_repeated_page_is_passed_over_and_two_in_a_row_end_the_walk() -> None:
    shown = [1, 2, 2, 3, 4, 4, 4, 5]

    def answer(path: str, _before: int) -> Answer:
        n = numbered(path)
        return html(page(match(shown[n - 1]), following=f"?page={n + 1}"))

    read, (stop,), asked = walked(answer)
    assert ids(read) == [f"10120{n}" for n in (1, 2, 2, 3, 4, 4, 4)]
    assert "repeat" in stop.text
    assert stop.gap is Gap.REPEATED
    assert len(asked) == 7


def test_a_pagination_without_end_is_bounded_and_said_to_be_incomplete() -> None:
    def answer(path: str, _before: int) -> Answer:
        n = numbered(path)
        return html(page(match(n), following=f"?page={n + 1}"))

    read, stops, asked = walked(answer, "/", "/?other", pages_max=5)
    assert len(read) == len(asked) == 5
    assert [stop.gap for stop in stops] == [Gap.LIMIT, Gap.LIMIT]
    assert all("limit of 5 pages" in stop.text for stop in stops)


def test_a_schedule_that_leads_into_one_that_was_read_is_complete() -> None:
    def answer(path: str, _before: int) -> Answer:
        if path == "/other":
            return html(page(match(9), following="/?page=2"))
        n = numbered(path)
        return html(page(match(n), following=f"?page={n + 1}" if n < 3 else None))

    read, (stop,), _ = walked(answer, "/", "/other")
    assert ids(read) == ["101201", "101202", "101203", "101209"]
    assert (stop.gap, stop.text) == (None, "was read before, with another schedule")


def test_the_last_page_allowed_is_complete_if_it_is_the_last_one() -> None:
    read, stops, _ = walked(lambda _path, _before: html(page(match(1))), pages_max=1)
    assert (len(read), stops) == (1, [])


def test_a_page_that_cannot_be_read_stops_its_own_schedule_only() -> None:
    def answer(path: str, _before: int) -> Answer:
        if path.startswith("/broken"):
            return (
                failing(500) if numbered(path) == 2 else html(page(match(1), following="?page=2"))
            )
        return html("no schedule" if path == "/none" else page(match(9)))

    read, stops, _ = walked(answer, "/broken", "/none", "/good")
    assert ids(read) == ["101201", "101209"]
    assert [stop.gap for stop in stops] == [Gap.UNREACHABLE, Gap.UNREACHABLE]
    assert "answered 500" in stops[0].text
    assert "there is no schedule" in stops[1].text


@pytest.mark.parametrize(
    "link", ["http://localhost:1/", "javascript:void(0)", "file:///etc/passwd", "http://["]
)
def test_a_next_page_elsewhere_is_not_followed_and_its_page_is_kept(link: str) -> None:
    read, (stop,), _ = walked(lambda _path, _before: html(page(match(1), following=link)))
    assert ids(read) == ["101201"]
    assert stop.gap is Gap.PAGINATION


def test_saved_pages_are_read_in_order_and_a_missing_one_is_told(tmp_path: Path) -> None:
    files = [PAGES / "october.html", tmp_path / "none.html", tmp_path, PAGES / "empty.html"]
    found = list(saved(files, now=lambda: datetime.now(UTC)))
    assert [type(each) for each in found] == [Schedule, Remark, Remark, Schedule]
    assert isinstance(found[1], Remark)
    assert "none.html: cannot be read (No such file" in found[1].text


def test_saved_pages_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    large = tmp_path / "large.html"
    with large.open("wb") as file:
        file.truncate(6 * 1024 * 1024)
    found = list(saved([large, large], now=lambda: datetime.now(UTC), pages_max=1))
    assert [type(each) for each in found] == [Remark, Remark]
    assert isinstance(found[0], Remark)
    assert isinstance(found[1], Remark)
    assert "larger than" in found[0].text
    assert "limit of 1 pages" in found[1].text


def test_the_next_page_is_read_while_one_is_used_and_never_two() -> None:
    made: list[int] = []
    made_next = threading.Event()

    def source() -> Iterator[int]:
        for n in range(5):
            made.append(n)
            made_next.set()
            yield n

    for n in one_ahead(source()):
        # The one after this is made by itself, and none beyond it.
        if n < 4:
            assert made_next.wait(60) or n + 1 in made
        assert max(made) <= n + 1
        made_next.clear()
    assert made == [0, 1, 2, 3, 4]


def test_a_reader_left_early_leaves_no_thread_behind() -> None:
    ahead = one_ahead(iter(range(5)))
    assert next(ahead) == 0
    ahead.close()  # type: ignore[attr-defined]
    assert not [each for each in threading.enumerate() if each.name.startswith("reader")]
