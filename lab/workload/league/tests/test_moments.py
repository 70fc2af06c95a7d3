"""Moments are in order, span the season and keep clear of kickoffs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lab.workload.league.season import Season


@pytest.mark.parametrize("n", [1, 2, 3, 12, 33, 60, 300, 5000])
def test_moments_are_aware_in_order_and_span_the_season(season: Season, n: int) -> None:
    moments = season.moments(n)
    assert len(moments) == n
    assert moments == sorted(set(moments))
    assert all(moment.tzinfo is UTC for moment in moments)
    kickoffs = [v.kickoff for s in season.stories for v in s.versions if v.kickoff]
    assert moments[-1] > max(kickoffs)
    if n > 1:
        assert moments[0] < min(kickoffs)


@pytest.mark.parametrize("n", [12, 60, 300])
def test_a_scrape_of_ten_minutes_does_not_run_into_a_kickoff(season: Season, n: int) -> None:
    kickoffs = {v.kickoff for s in season.stories for v in s.versions if v.kickoff}
    for moment in season.moments(n):
        assert not any(moment < k < moment + timedelta(minutes=10) for k in kickoffs)


def test_a_dozen_moments_catch_matches_that_are_being_played_and_results_that_are_late() -> None:
    season = Season.generate(7)
    hours = {(m.weekday(), m.hour) for m in season.moments(12)[1:-1]}
    assert len(hours) >= 3
    assert datetime(2025, 9, 27, 17, 35, tzinfo=UTC) in season.moments(12)
