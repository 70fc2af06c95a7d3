"""Dividing rows into pages loses nothing, whatever the quirks."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest

from lab.workload.league.listing import Listing, Page, listing
from lab.workload.league.season import Season


@pytest.fixture(scope="module")
def listings(season: Season, moments: list[datetime]) -> list[Listing]:
    return [listing(season.rows_at(m), 20, season.seed, m) for m in moments]


def without_repeats(pages: tuple[Page, ...]) -> list[Page]:
    first = pages[:1]
    return [*first, *(page for before, page in pairwise(pages) if page is not before)]


def test_pages_hold_every_row_once_and_in_order_but_for_the_repeated_ones(
    season: Season, moments: list[datetime], listings: list[Listing]
) -> None:
    for moment, listed in zip(moments, listings, strict=True):
        rows = [row for page in without_repeats(listed.pages) for row in page.rows]
        assert rows == season.rows_at(moment)


def test_pages_are_full_except_the_last_of_a_league_and_never_mix_leagues(
    listings: list[Listing],
) -> None:
    for listed in listings:
        assert all({row.league for row in page.rows} == {page.league} for page in listed.pages)
        for league in ("Homegrown", "Academy"):
            sizes = [len(page.rows) for page in without_repeats(listed.of(league))]
            assert set(sizes[:-1]) == {20}
            assert 1 <= sizes[-1] <= 20
        assert listed.of(None) == listed.of("Homegrown") + listed.of("Academy")


def test_some_pages_are_repeated_and_some_last_pages_lead_to_themselves(
    listings: list[Listing],
) -> None:
    repeats = [len(x.pages) - len(without_repeats(x.pages)) for x in listings]
    assert 0 < sum(repeats) < 0.1 * sum(len(x.pages) for x in listings)
    assert {x.last_to_itself for x in listings} == {True, False}


def test_a_league_without_matches_has_one_empty_page(moments: list[datetime]) -> None:
    assert [len(page.rows) for page in listing([], 20, 1, moments[0]).of("Academy")] == [0]
    assert [len(page.rows) for page in listing([], 20, 1, moments[0]).of(None)] == [0]
