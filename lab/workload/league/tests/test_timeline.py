"""What becomes of a match: each fate, played out many times."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest

from lab.workload.league.dice import Dice
from lab.workload.league.fates import Fate, fates
from lab.workload.league.fixtures import Fixture, fixture_list, half_of
from lab.workload.league.timeline import Ruling, Version, timeline

FIXTURES = fixture_list(5, 400)
NO_RESULT = (Fate.SCORE_NEVER, Fate.POSTPONED, Fate.CANCELLED)


def played_out(fate: Fate) -> list[tuple[Fixture, tuple[Version, ...]]]:
    return [(each, timeline(each, fate, Dice(fate, n))) for n, each in enumerate(FIXTURES)]


@pytest.mark.parametrize("fate", Fate)
def test_versions_follow_each_other_in_time_and_each_says_something_new(fate: Fate) -> None:
    for _, versions in played_out(fate):
        for before, after in pairwise(versions):
            assert before.since < after.since
            new = replace(before, since=after.since) != after
            # A match for which 0 : 0 was printed beforehand may end like that.
            is_nil = fate is Fate.NIL_BEFORE and after.home_score == after.away_score == 0
            assert new or is_nil or fate is Fate.VENUE_CHANGED


@pytest.mark.parametrize("fate", Fate)
def test_a_score_is_shown_only_when_the_match_is_past_and_then_stays(fate: Fate) -> None:
    for _, versions in played_out(fate):
        scored = [v for v in versions if v.home_score is not None]
        assert bool(scored) != (fate in NO_RESULT)
        placeholders = 1 if fate is Fate.NIL_BEFORE else 0
        assert [v.is_past(v.since) for v in scored].count(False) == placeholders
        assert scored == list(versions[len(versions) - len(scored) :])
        assert len({(v.day, v.at) for v in scored}) <= 1


@pytest.mark.parametrize("fate", Fate)
def test_a_moved_match_goes_to_a_later_day_of_the_same_half(fate: Fate) -> None:
    for fixture, versions in played_out(fate):
        for before, after in pairwise(versions):
            assert after.day == before.day or after.day >= before.day + timedelta(days=3)
            assert after.since.date() <= after.day or after.day == before.day
        assert {half_of(v.day) for v in versions} == {half_of(fixture.day)}
        assert versions[-1].day <= date(2026, 6, 30)


@pytest.mark.parametrize(
    ("fate", "moves"),
    [
        (Fate.MOVED, 1),
        (Fate.MOVED_TWICE, 2),
        (Fate.MOVED_THRICE, 3),
        (Fate.MOVED_AFTERWARDS, 1),
        (Fate.POSTPONED_REDATED, 1),
        (Fate.PLAYED_WITHOUT_ID, 0),
        (Fate.SWAPPED, 0),
    ],
)
def test_a_match_moves_as_often_as_its_fate_says(fate: Fate, moves: int) -> None:
    for _, versions in played_out(fate):
        assert len({v.day for v in versions}) == moves + 1


def test_a_swap_turns_the_teams() -> None:
    for fate in (Fate.SWAPPED, Fate.SWAPPED_WITH_RESULT, Fate.MOVED_AND_SWAPPED):
        for fixture, versions in played_out(fate):
            assert (versions[-1].home, versions[-1].away) == (fixture.away, fixture.home)


def test_a_match_without_an_id_keeps_its_teams_and_its_date() -> None:
    for fixture, versions in played_out(Fate.PLAYED_WITHOUT_ID):
        assert {(v.home, v.away, v.day) for v in versions} == {
            (fixture.home, fixture.away, fixture.day)
        }


def test_a_forfeit_ends_three_to_nothing_for_either_side() -> None:
    last = [versions[-1] for _, versions in played_out(Fate.FORFEIT)]
    assert {(v.home_score, v.away_score) for v in last} == {(3, 0), (0, 3)}
    assert {v.call for v in last} == {Ruling.FORFEIT}


def test_half_of_the_results_of_a_sunday_come_on_monday() -> None:
    sunday = [v[-1] for f, v in played_out(Fate.PLAYED) if f.day.weekday() == 6]
    on_monday = sum(each.since.date() > each.day and each.since.hour >= 12 for each in sunday)
    assert 0.3 < on_monday / len(sunday) < 0.7


def test_every_fate_is_drawn_even_in_a_small_season() -> None:
    assert set(fates(40, Dice("small"))) == set(Fate)
    assert {fate for fate in Fate if fate.share is None} == {Fate.PLAYED}


def test_a_season_too_small_for_all_fates_has_one_for_each_match() -> None:
    assert len(fates(3, Dice("tiny"))) == 3
