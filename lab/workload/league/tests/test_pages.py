"""Pages are read with the selectors that were agreed with the scraper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from selectolax.lexbor import LexborHTMLParser, LexborNode

from lab.workload.league import pages
from lab.workload.league.listing import Page
from lab.workload.league.rows import Row
from lab.workload.league.tests.reading import node

MOMENT = datetime(2025, 10, 19, 21, 0, tzinfo=UTC)
NASTY = """<b>"O'Hara" & Söhne</b>"""
ROW = Row(
    "Homegrown",
    "99963\t\nMALE",
    "09/20/25\u00a003:45pm",
    "Oakwood <Turf>",
    "U14",
    "League",
    "Northeast",
    NASTY,
    "Seacoast United",
    "2 – 1",  # noqa: RUF001
)


ONE = Page("Homegrown", (ROW,))


def address(to: int) -> str:
    return f"/at/x/schedule?league=Homegrown&page={to}"


def rendered(
    page: Page = ONE,
    number: int = 1,
    count: int = 1,
    href: Callable[[int], str] = address,
    *,
    last_to_itself: bool = False,
) -> LexborHTMLParser:
    text = pages.schedule(page, number, count, MOMENT, href, last_to_itself=last_to_itself)
    Balanced().check(text)
    return LexborHTMLParser(text)


class Balanced(HTMLParser):
    """Fails where a tag is left open or closed out of turn."""

    VOID = frozenset({"meta", "link", "br"})

    def check(self, text: str) -> None:
        """Read the whole text."""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what is open."""
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Only the innermost may be closed."""
        assert self.open.pop() == tag


def test_cells_are_where_the_scraper_looks_for_them_and_nothing_is_lost_in_escaping() -> None:
    (row,) = rendered().css(".table-content-row.hidden-xs")
    cells = list(row.iter())
    assert cells[0].text() == ROW.match_id
    assert cells[1].text() == f"{ROW.kickoff}{ROW.venue}"
    assert node(cells[1], 'p[data-title="Location"]').text() == ROW.venue
    assert cells[2].text() == "U14"
    assert node(cells[3], "p").text() == "Northeast"
    assert cells[3].text() == "LeagueNortheast"
    assert node(row, ".container-first-team p").text() == NASTY
    assert node(row, ".container-first-team p").attributes["data-title"] == NASTY
    assert node(row, ".container-score .score-match-table").text() == ROW.score
    assert node(row, ".container-second-team p").text() == "Seacoast United"


def test_every_row_has_its_hidden_twin_right_behind_it() -> None:
    rows = rendered(Page("Homegrown", (ROW, ROW))).css(".table-content-row")
    assert [str(row.attributes["class"]).split()[-1] for row in rows] == [
        "hidden-xs",
        "visible-xs",
    ] * 2
    assert rows[0].text() == rows[1].text()


def test_the_heading_says_the_league() -> None:
    assert node(rendered(Page("Academy", ())), "h1").attributes["data-league"] == "Academy"


def test_a_venue_may_be_missing_with_its_paragraph_or_without() -> None:
    for venue, found in ((None, 0), ("", 1)):
        bare = Row(**{f: getattr(ROW, f) for f in Row.__dataclass_fields__} | {"venue": venue})
        tree = rendered(Page("Homegrown", (bare,)))
        assert len(tree.css('.hidden-xs p[data-title="Location"]')) == found


def next_item(tree: LexborHTMLParser) -> LexborNode:
    return tree.css(".pagination li")[-1]


def test_next_leads_to_the_next_page() -> None:
    link = node(next_item(rendered(number=2, count=9)), "a")
    assert link.attributes["href"] == address(3)
    assert link.attributes["rel"] == "next"


@pytest.mark.parametrize("word", ["Prev", "Next"])
def test_at_an_end_the_item_is_disabled_and_has_no_address(word: str) -> None:
    items = rendered(number=1, count=1).css(".pagination li")
    item = next(each for each in items if each.text() == word)
    assert item.attributes["class"] == "disabled"
    assert "href" not in node(item, "a").attributes


def test_next_on_the_last_page_may_lead_to_itself() -> None:
    item = next_item(rendered(number=9, count=9, last_to_itself=True))
    assert item.attributes.get("class") is None
    assert node(item, "a").attributes["href"] == address(9)


def test_an_address_cannot_break_out_of_its_attribute() -> None:
    tree = rendered(count=2, href=lambda to: f'"><script>{to}</script>')
    assert tree.css("script") == []
