"""What a page says about the pages behind it, and whether it is empty or only strange."""

from __future__ import annotations

import pytest
from selectolax.lexbor import LexborHTMLParser

from system.scraper.parsing.emptiness import doubt
from system.scraper.parsing.pagination import Pagination, pagination
from system.scraper.tests.site import PAGES, page, row

NEXT = '<li><a href="?page=2" rel="next">Next</a></li>'
PREV = '<li><a href="?page=1">Prev</a></li>'
ICON = '<li><a href="?page=2"><i class="right"></i></a></li>'
OFF = '<li class="disabled"><a rel="next">Next</a></li>'


def numbers(active: int, last: int) -> str:
    return "".join(
        f'<li{" aria-current=page" if n == active else ""}><a href="?page={n}">{n}</a></li>'
        for n in range(1, last + 1)
    )


def read(inner: str) -> Pagination:
    return pagination(LexborHTMLParser(f'<ul class="pagination">{inner}</ul>'))


@pytest.mark.parametrize(
    ("inner", "link", "place"),
    [
        (PREV + NEXT, "?page=2", (None, None)),
        (numbers(1, 3) + NEXT, "?page=2", (1, 3)),
        (PREV + OFF, None, (None, None)),
        ('<li><a aria-disabled="true" href="?page=2">Next</a></li>', None, (None, None)),
        ('<li><a class="btn disabled" href="#">next</a></li>', None, (None, None)),
        (PREV + numbers(3, 3) + OFF, None, (3, 3)),
        (PREV + numbers(3, 3), None, (3, 3)),
        (ICON + numbers(3, 3), None, (3, 3)),  # its icon leads back
        (numbers(3, 3) + '<li><a rel="next">Next</a></li>', None, (3, 3)),
        ('<li class="disabled"><a><i class="right"></i></a></li>', None, (None, None)),
        ('<li class="active"><a>1</a></li>', None, (1, 1)),
        ("", None, (None, None)),
    ],
)
def test_a_way_on_or_an_end_is_understood(
    inner: str, link: str | None, place: tuple[int | None, int | None]
) -> None:
    found = read(inner)
    assert (found.next_link, found.doubt) == (link, None)
    assert (found.number, found.last) == place


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        (PREV + ICON, "no link that says Next"),
        (ICON.replace(' href="?page=2"', ""), "no link that says Next"),
        (numbers(1, 3), "no link that says Next"),
        ('<a href="?page=2">&raquo;</a>', "no link that says Next"),
        ('<li><a rel="next">Next</a></li>', "Next has no address"),
        ('<li><a rel="next" href="">Next</a></li>', "Next has no address"),
        (numbers(2, 5) + OFF, "disabled on page 2, and there are pages up to 5"),
    ],
)
def test_what_may_lead_on_and_cannot_be_followed_is_said(inner: str, words: str) -> None:
    found = read(inner)
    assert found.next_link is None
    assert words in (found.doubt or "")


def test_two_numbers_that_are_marked_say_nothing_of_where_we_are() -> None:
    assert read(numbers(1, 3) + numbers(2, 3) + NEXT).number is None


@pytest.mark.parametrize(
    "html",
    [
        page(),
        page('<select><option>U13</option></select><script>var x = "Sign in"</script>'),
        page("<p>There are no matches to show.</p>"),
        page("<p>0 results</p>"),
        page("<nav>Sign in</nav><p>No upcoming league games</p>").replace("pagination", "x"),
        (PAGES / "empty.html").read_text(),
    ],
)
def test_a_page_without_matches_that_shows_it_is_empty(html: str) -> None:
    assert doubt(html) is None


@pytest.mark.parametrize(
    ("html", "words"),
    [
        (page(row()).replace("table-content-row", "fixture"), "parts of such rows"),
        (page("<div>10/18/25 10:00am<br>NEFC</div>"), "dates of matches"),
        (page("<p>No matches. 10/18/25 10:00am NEFC</p>"), "dates of matches"),
        (page("<p>Your session has expired.</p>"), "says 'Your session has expired.'"),
        (page("<p>No matches found: your session has expired.</p>"), "does not say"),
        (page("<p>Please sign in</p>"), "'Please sign in'"),
        (page().partition("<ul")[0], "does not say"),
        (page(f"<p>{'word ' * 1000}</p>"), "does not say"),
    ],
)
def test_a_page_that_only_looks_empty_is_not_taken_for_an_empty_one(html: str, words: str) -> None:
    said = doubt(html) or ""
    assert words in said
    assert len(said) < 250
