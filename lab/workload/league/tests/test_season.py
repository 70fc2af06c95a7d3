"""What holds for a whole season, at every moment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from time import process_time

import pytest

from lab.workload.league.fates import Fate
from lab.workload.league.rows import RowDefect
from lab.workload.league.season import MATCHES_USUAL, Season
from lab.workload.league.tests.reading import CannotReadError, read
from system.contract.match import Status

FINAL = (Status.COMPLETED, Status.FORFEIT)

DIGEST = """
import hashlib
from lab.workload.league.season import Season
from lab.workload.league.views import Views, schedule_path
season = Season.generate(11, 300)
seen = hashlib.sha256()
for moment in season.moments(4):
    seen.update(repr((season.rows_at(moment), season.truth_at(moment))).encode())
    seen.update(Views(season).answer(schedule_path(moment) + "?page=3").body.encode())
print(seen.hexdigest())
"""


def test_two_processes_see_the_same_season_whatever_their_hash_seed_and_language() -> None:
    seen = set()
    for hash_seed, language in (("1", "C"), ("2", "C.UTF-8")):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "LC_ALL": language,
            "TZ": "Asia/Tokyo",
        }
        if hash_seed == "1":
            del environment["TZ"]
        run = subprocess.run(
            [sys.executable, "-c", DIGEST],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        seen.add(run.stdout.strip())
    assert len(seen) == 1
    assert len(seen.pop()) == 64


def test_another_seed_is_another_season(moments: list[datetime], season: Season) -> None:
    assert Season.generate(8).rows_at(moments[5]) != season.rows_at(moments[5])
    assert Season.generate(7).rows_at(moments[5]) == season.rows_at(moments[5])


def test_every_readable_row_says_what_is_true_and_every_match_is_on_the_site(
    season: Season, moments: list[datetime]
) -> None:
    """The truth and the rows are compared by a reader that shares no code with either."""
    for moment in moments:
        found = {}
        unread: Counter[RowDefect | None] = Counter()
        for row in season.rows_at(moment):
            try:
                match = read(row, moment)
            except CannotReadError:
                unread[row.unreadable] += 1
                continue
            assert row.unreadable is None, row
            found[season.aliases.get(match.identity, match.identity)] = match
        assert found == season.truth_at(moment)
        assert len(found) == MATCHES_USUAL
        assert None not in unread
        assert sum(unread.values()) == season.unreadable_at(moment)


def test_rows_stand_league_by_league_in_the_order_of_their_dates(
    season: Season, moments: list[datetime]
) -> None:
    for moment in moments:
        rows = [row for row in season.rows_at(moment) if row.unreadable is None]
        order = [(row.league != "Homegrown", read(row, moment).match_date) for row in rows]
        assert order == sorted(order)


def test_identities_stay_and_ids_are_the_leagues_own(
    season: Season, moments: list[datetime]
) -> None:
    truths = [season.truth_at(moment) for moment in moments]
    assert len({frozenset(truth) for truth in truths}) == 1
    ids = [m.external_match_id for m in truths[-1].values() if m.external_match_id is not None]
    assert len(set(ids)) == len(ids) < MATCHES_USUAL
    strays = {row.match_id for row in season.rows_at(moments[3]) if row.unreadable}
    assert not strays & {f"{each}\t\nMALE" for each in ids}


def test_a_number_is_missing_for_a_while_and_then_there(
    season: Season, moments: list[datetime]
) -> None:
    truths = [season.truth_at(moment) for moment in moments]
    some = [s for s in season.stories if s.fate in (Fate.ID_LATE, Fate.ID_GONE)]
    assert len(some) == 20
    for story in some:
        shown = [truth[story.identity].external_match_id for truth in truths]
        assert set(shown) <= {None, story.external_id}
        assert shown[-1] == story.external_id
        assert len(story.aliases) == 1
    assert any(
        truth[story.identity].external_match_id is None for truth in truths for story in some
    )


def test_a_placeholder_is_no_score_and_a_score_is_final_only_after_the_end(season: Season) -> None:
    some = [s for s in season.stories if s.fate is Fate.NIL_BEFORE]
    assert len(some) == 21
    for story in some:
        nil, result = story.versions[1:]
        assert (nil.home_score, nil.away_score) == (0, 0)
        assert nil.kickoff is not None
        before, during = nil.kickoff - timedelta(minutes=1), nil.kickoff + timedelta(minutes=60)
        match = season.truth_at(before)[story.identity]
        assert (match.match_status, match.home_score) == (Status.SCHEDULED, None)
        match = season.truth_at(during)[story.identity]
        assert (match.match_status, match.home_score) == (Status.LIVE, 0)
        match = season.truth_at(result.since + timedelta(hours=2))[story.identity]
        assert (match.match_status, match.home_score) == (Status.COMPLETED, result.home_score)


def test_a_visitor_plays_where_it_does_not_belong(season: Season) -> None:
    visits = [s.fixture for s in season.stories if s.fate is Fate.VISITOR]
    assert visits
    teams = season.teams()
    for visit in visits:
        at_home = [
            division
            for (league, age, division), own in teams.items()
            if (league, age) == (visit.league, visit.age_group) and visit.away in own
        ]
        assert at_home
        assert visit.division not in at_home


def every_change(season: Season) -> list[datetime]:
    return sorted({v.since for story in season.stories for v in story.versions})


def test_a_match_that_is_over_stays_over() -> None:
    season = Season.generate(9, 120)
    over: set[str] = set()
    changes = every_change(season)
    for moment in sorted([*changes, *(change + timedelta(days=1) for change in changes)]):
        now = {k for k, m in season.truth_at(moment).items() if m.match_status in FINAL}
        assert over <= now
        over = now
    assert len(over) > 100


def test_no_two_matches_ever_share_teams_date_age_and_division() -> None:
    """The store may keep such a key unique; moves and swaps must not break it on the way."""
    season = Season.generate(9, 300)
    for moment in every_change(season):
        keys = {
            (m.home_team, m.away_team, m.match_date, m.age_group, m.league, m.division)
            for m in season.truth_at(moment).values()
        }
        assert len(keys) == 300


def test_before_the_season_nothing_is_played_and_after_it_nothing_is_open(
    season: Season, moments: list[datetime]
) -> None:
    first = Counter(m.match_status for m in season.truth_at(moments[0]).values())
    last = Counter(m.match_status for m in season.truth_at(moments[-1]).values())
    assert set(first) <= {Status.SCHEDULED, Status.CANCELLED}
    assert set(last) == set(Status) - {Status.SCHEDULED, Status.LIVE}
    assert {story.fate for story in season.stories} == set(Fate)
    assert (
        season.truth_at(moments[0] - timedelta(days=400)).keys()
        == season.truth_at(moments[0]).keys()
    )


def test_about_one_row_in_a_hundred_cannot_be_read_for_every_reason_there_is(
    season: Season, moments: list[datetime]
) -> None:
    seen = {row.unreadable for moment in moments for row in season.rows_at(moment)}
    assert seen == {None, *RowDefect}
    assert len(season.strays) == round(MATCHES_USUAL / 100)
    assert len({season.unreadable_at(moment) for moment in moments}) > 1


@pytest.mark.parametrize(("summer", "hours_behind"), [(True, 4), (False, 5)])
def test_a_status_turns_at_kickoff_in_league_time_on_both_sides_of_a_clock_change(
    season: Season, summer: bool, hours_behind: int
) -> None:
    """In 2025-26 the clocks go back on 2 November and forward on 8 March, both days of play."""
    played = [
        (story, story.versions[0])
        for story in season.stories
        if story.fate is Fate.PLAYED
        and summer != (date(2025, 11, 2) <= story.versions[0].day < date(2026, 3, 8))
    ]
    kickoffs = {
        story.identity: datetime.combine(first.day, first.at or time(0), UTC)
        + timedelta(hours=hours_behind)
        for story, first in played
    }
    turning = date(2026, 3, 8) if summer else date(2025, 11, 2)
    assert turning in {first.day for _, first in played}
    for story, first in played:
        assert first.kickoff == kickoffs[story.identity]
    for identity, kickoff in list(kickoffs.items())[::80]:
        just_before = season.truth_at(kickoff - timedelta(seconds=1))[identity]
        assert just_before.match_status == Status.SCHEDULED
        assert season.truth_at(kickoff)[identity].match_status == Status.TBD


def test_a_match_of_unknown_time_is_past_when_its_day_is_over_in_the_east(season: Season) -> None:
    story = next(s for s in season.stories if s.fate is Fate.TIME_NEVER_KNOWN)
    day = story.versions[0].day
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, hours=3)
    still = season.truth_at(midnight)[story.identity]  # 22:00 or 23:00 in the east
    past = season.truth_at(midnight + timedelta(hours=2))[story.identity]
    assert (still.match_status, past.match_status) == (Status.SCHEDULED, Status.TBD)
    assert still.match_time is None


def test_twenty_thousand_matches_take_a_moment() -> None:
    begun = process_time()  # what else the machine does is no matter here
    season = Season.generate(7, 20_000)
    assert len(season.rows_at(season.moments(3)[1])) > 20_000
    assert process_time() - begun < 15  # about one second


def test_a_single_match_is_a_season_too() -> None:
    season = Season.generate(1, 1)
    assert [m.match_status for m in season.truth_at(season.moments(1)[0]).values()]


@pytest.mark.parametrize("n", [0, -1])
def test_no_moments_cannot_be_asked_for(season: Season, n: int) -> None:
    with pytest.raises(ValueError, match="at least one moment"):
        season.moments(n)
