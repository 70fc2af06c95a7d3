"""The page for people: what it shows, how it chooses, and that it trusts nobody's text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from system.backend.pages.overview import choose
from system.backend.queries import Group
from system.backend.tests.messages import message
from system.backend.tests.serving import Client
from system.contract.playing import season_of

GROUPS = [
    Group("2025-26", "U13", "Homegrown", "Florida"),
    Group("2025-26", "U14", "Academy", "Northeast"),
    Group("2025-26", "U14", "Homegrown", "Northeast"),
    Group("2024-25", "U15", "Homegrown", "Northeast"),
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ((None, None, None, None), GROUPS[0]),
        (("2025-26", "U14", None, None), GROUPS[1]),
        (("2025-26", "U14", "Homegrown", "Northeast"), GROUPS[2]),
        (("2024-25", "U14", "Homegrown", "Northeast"), GROUPS[3]),
        ((None, None, "Academy", None), GROUPS[0]),
        (("1999-00", "U99", "x", "y"), GROUPS[0]),
    ],
)
def test_what_fits_best_is_chosen(query: tuple[str | None, ...], expected: Group) -> None:
    assert choose(GROUPS, query) == expected


def test_without_any_match_nothing_is_chosen() -> None:
    assert choose([], (None, None, None, None)) is None


def _page(api: Client, **query: str) -> LexborHTMLParser:
    answer = api.raw("GET", "/", fields=query)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    return LexborHTMLParser(answer.data)


def _texts(page: LexborHTMLParser, selector: str) -> list[str]:
    dash = "\N{EN DASH}"
    return [" ".join(node.text().split()).replace(dash, ":") for node in page.css(selector)]


def _store(api: Client, *matches: dict[str, Any]) -> None:
    for n, fields in enumerate(matches):
        each = message(f"m{n}", **{"external_match_id": f"x{n}", **fields})
        assert api.post(each.model_dump(mode="json"))[0] == 201


@pytest.mark.services
def test_an_empty_database_has_a_page_too(api: Client) -> None:
    assert _texts(_page(api), "h1") == ["No matches yet"]


@pytest.mark.services
def test_the_page_shows_table_results_and_next_matches(api: Client) -> None:
    today = datetime.now(UTC)
    season = {"season": season_of((today - timedelta(days=2)).date())}

    def on(days: int) -> dict[str, Any]:
        return season | {"match_date": f"{today + timedelta(days=days):%Y-%m-%d}"}

    played = on(-2) | {"home_score": 3, "away_score": 1, "observed_at": today.isoformat()}
    _store(
        api,
        played,
        on(2) | {"match_time": None},
        on(3) | {"match_status": "postponed"},
        played | {"age_group": "U15"},
    )
    page = _page(api, age_group="U14")
    assert _texts(page, "h1") == ["U14 Homegrown Northeast"]
    assert _texts(page, "tbody tr") == [
        "1 NEFC 1 1 0 0 3:1 +2 3 W",
        "2 Bayside FC 1 0 0 1 1:3 \N{MINUS SIGN}2 0 L",
    ]
    assert _texts(page, ".match") == [
        "NEFC 3:1 Bayside FC",
        "NEFC TBD Bayside FC",
        "NEFC 10:00 Bayside FC postponed",
    ]
    assert _texts(page, "[aria-current]") == [season["season"], "U14", "Homegrown Northeast"]


@pytest.mark.services
def test_every_choice_leads_to_a_page_that_shows_it(api: Client) -> None:
    _store(
        api,
        {},
        {"age_group": "U15", "division": None, "league": None},
        {"season": "2024-25", "match_date": "2024-10-18"},
        {"division": "A & B?"},
    )
    start = _page(api)
    links = {node.text().strip(): node.attributes["href"] for node in start.css("nav a")}
    assert set(links) == {
        "2025-26",
        "2024-25",
        "U14",
        "U15",
        "Homegrown Northeast",
        "Homegrown A & B?",
    }
    for text, href in links.items():
        page = LexborHTMLParser(api.raw("GET", f"/{href}").data)
        assert text in _texts(page, "[aria-current]"), text


@pytest.mark.services
def test_text_from_the_web_stays_text(api: Client) -> None:
    bad = "<script>alert(1)</script>"
    _store(api, {"home_team": bad, "division": f"{bad}\"'&", "home_score": 1, "away_score": 0})
    answer = api.raw("GET", "/")
    page = LexborHTMLParser(answer.data)
    assert page.css("script") == []
    assert bad in _texts(page, "th.team")
