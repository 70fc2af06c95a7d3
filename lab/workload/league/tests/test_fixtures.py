"""The fixture list is made of double round-robins and adds up."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from itertools import permutations

import pytest

from lab.workload.league.clubs import AGE_GROUPS, DIVISIONS, LEAGUES, OFFICIAL_NAMES
from lab.workload.league.fixtures import AUTUMN, SPRING, Fixture, fixture_list, half_of


def by_group(fixtures: list[Fixture]) -> dict[tuple[str, str, str], list[Fixture]]:
    found = defaultdict(list)
    for each in fixtures:
        found[each.league, each.age_group, each.division].append(each)
    return dict(found)


@pytest.mark.parametrize("matches", [1, 2, 3, 57, 404, 1000, 1040, 1041, 4040, 20_000])
def test_there_are_exactly_as_many_matches_as_asked_for(matches: int) -> None:
    assert len(fixture_list(3, matches)) == matches


@pytest.mark.parametrize("matches", [0, -5, 10**6])
def test_a_season_that_cannot_be_is_refused(matches: int) -> None:
    with pytest.raises(ValueError, match="from 1 to about"):
        fixture_list(3, matches)


@pytest.mark.parametrize("matches", [12, 1000, 1040, 10_000])
def test_every_team_of_a_group_meets_every_other_once_at_home_and_once_away(matches: int) -> None:
    for group in by_group(fixture_list(3, matches)).values():
        teams = {each.home for each in group} | {each.away for each in group}
        meetings = Counter((each.home, each.away) for each in group)
        assert meetings == Counter(permutations(teams, 2))


def test_an_odd_number_ends_with_a_single_match() -> None:
    groups = by_group(fixture_list(3, 1041))
    assert sorted(len(group) for group in groups.values())[:1] == [1]


@pytest.mark.parametrize("matches", [1040, 20_000])
def test_no_team_plays_twice_on_one_day_and_the_two_legs_are_in_different_halves(
    matches: int,
) -> None:
    fixtures = fixture_list(3, matches)
    busy = Counter(
        (each.league, each.age_group, each.division, team, each.day)
        for each in fixtures
        for team in (each.home, each.away)
    )
    assert max(busy.values()) == 1
    for group in by_group(fixtures).values():
        half = {(each.home, each.away): half_of(each.day) for each in group}
        assert all(half[pair] is not half[pair[::-1]] for pair in half)


def test_matches_are_on_weekends_from_september_to_june() -> None:
    days = {each.day for each in fixture_list(3, 20_000)}
    assert {day.weekday() for day in days} == {5, 6}
    assert date(2025, 9, 1) <= min(days) <= max(days) <= date(2026, 6, 30)
    assert max(day for day in days if half_of(day) is AUTUMN) < AUTUMN.makeup_until < SPRING.first


def test_the_usual_season_holds_every_league_age_and_name_with_a_long_form() -> None:
    fixtures = fixture_list(3, 1040)
    assert {(each.league, each.age_group) for each in fixtures} == {
        (league, age) for league in LEAGUES for age in AGE_GROUPS
    }
    assert {each.home for each in fixtures} >= set(OFFICIAL_NAMES)
    assert any("(Pro Player Pathway)" in each.division for each in fixtures)


def test_no_division_names_a_club_twice() -> None:
    for divisions in DIVISIONS.values():
        for clubs in divisions.values():
            assert len(set(clubs)) == len(clubs)
