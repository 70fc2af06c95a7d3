"""The league table, by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from system.backend.standings import FinalScore, Team, league_table, members

A, B, C, D = (Team(n, name) for n, name in enumerate("ABCD"))


def _names(*results: FinalScore) -> str:
    return "".join(row.team.name for row in league_table(results))


def test_a_win_counts_three_a_draw_one_and_a_loss_nothing() -> None:
    rows = league_table([FinalScore(A, B, 2, 0), FinalScore(B, C, 1, 1)])
    assert [(r.team, r.points, r.won, r.drawn, r.lost, r.played) for r in rows] == [
        (A, 3, 1, 0, 0, 1),
        (C, 1, 0, 1, 0, 1),
        (B, 1, 0, 1, 1, 2),
    ]
    assert [(r.goals_for, r.goals_against, r.goal_difference) for r in rows] == [
        (2, 0, 2),
        (1, 1, 0),
        (1, 3, -2),
    ]
    assert [r.rank for r in rows] == [1, 2, 3]


def test_equal_points_are_parted_by_goal_difference_then_goals_scored() -> None:
    assert _names(FinalScore(B, D, 2, 0), FinalScore(A, D, 1, 0)) == "BAD"
    assert _names(FinalScore(B, D, 3, 2), FinalScore(A, C, 1, 0))[:2] == "BA"


def test_teams_equal_in_all_three_are_parted_by_the_match_between_them() -> None:
    """B beat A; both then have 3 points, 2 : 2 goals. The name alone would put A first."""
    results = [
        FinalScore(B, A, 1, 0),
        FinalScore(A, C, 2, 1),
        FinalScore(C, B, 2, 1),
        FinalScore(C, D, 0, 9),
    ]
    rows = {row.team: row for row in league_table(results)}
    assert (rows[A].points, rows[A].goal_difference, rows[A].goals_for) == (3, 0, 2)
    assert (rows[B].points, rows[B].goal_difference, rows[B].goals_for) == (3, 0, 2)
    assert rows[B].rank < rows[A].rank


def test_three_tied_teams_are_parted_by_points_then_goal_difference_among_them() -> None:
    """Each beat one of the others, C by most; against D all is made equal again."""
    results = [
        FinalScore(A, B, 1, 0),
        FinalScore(B, C, 1, 0),
        FinalScore(C, A, 3, 0),
        FinalScore(A, D, 5, 0),
        FinalScore(B, D, 5, 2),
        FinalScore(D, C, 2, 3),
    ]
    rows = league_table(results)
    assert {(r.points, r.goal_difference, r.goals_for) for r in rows if r.team != D} == {(6, 3, 6)}
    assert [row.team for row in rows] == [C, B, A, D]


def test_points_among_the_tied_come_before_goal_difference_among_them() -> None:
    """C beat both others by one goal, B beat A by five; against D all is made equal again."""
    results = [
        *(FinalScore(C, B, 1, 0), FinalScore(C, A, 1, 0), FinalScore(B, A, 5, 0)),
        *(FinalScore(C, D, 2, 3), FinalScore(D, C, 3, 2)),
        *(FinalScore(B, D, 1, 0), FinalScore(D, B, 5, 0)),
        *(FinalScore(A, D, 3, 0), FinalScore(D, A, 0, 3)),
    ]
    rows = league_table(results)
    assert {(r.points, r.goal_difference, r.goals_for) for r in rows if r.team != D} == {(6, 0, 6)}
    assert [row.team for row in rows] == [D, C, B, A]


def test_what_cannot_be_parted_stands_in_the_order_of_names() -> None:
    assert _names(FinalScore(B, A, 0, 0), FinalScore(D, C, 0, 0)) == "ABCD"


def test_a_team_without_results_is_in_the_table_with_nothing() -> None:
    rows = league_table([FinalScore(A, B, 1, 0)], [A, B, C])
    assert [(row.team, row.played) for row in rows] == [(A, 1), (C, 0), (B, 1)]


def test_two_teams_of_one_name_are_two_teams() -> None:
    other = Team(99, "A")
    assert [row.played for row in league_table([FinalScore(A, other, 1, 0)])] == [1, 1]


def test_the_form_is_the_newest_five_newest_last() -> None:
    scores = [(0, 1), (1, 1), (2, 0), (2, 0), (0, 0), (3, 0)]
    rows = league_table([FinalScore(A, B, *score) for score in scores])
    assert next(row.form for row in rows if row.team == A) == "DWWDW"


_TEAMS = st.sampled_from([A, B, C, D])
_RESULTS = st.lists(
    st.builds(FinalScore, _TEAMS, _TEAMS, st.integers(0, 3), st.integers(0, 3)).filter(
        lambda result: result.home != result.away
    ),
    max_size=12,
)


@given(_RESULTS)
def test_the_sums_of_any_table_are_right(results: list[FinalScore]) -> None:
    rows = league_table(results)
    assert sum(row.goal_difference for row in rows) == 0
    assert sum(row.played for row in rows) == 2 * len(results)
    assert sum(row.won for row in rows) == sum(row.lost for row in rows)
    assert [row.rank for row in rows] == list(range(1, len(rows) + 1))
    keys = [(row.points, row.goal_difference, row.goals_for) for row in rows]
    assert keys == sorted(keys, reverse=True)


@given(_RESULTS)
def test_the_order_of_the_results_does_not_matter_for_the_ranks(results: list[FinalScore]) -> None:
    ranks = [row.team for row in league_table(results)]
    assert [row.team for row in league_table(results[::-1])] == ranks


def test_a_team_that_visits_a_division_is_none_of_its_teams() -> None:
    florida, northeast, pathway = "Florida", "Northeast", "Northeast (Pro Player Pathway)"
    counts = [(1, florida, 14), (1, northeast, 1), (2, northeast, 14), (3, pathway, 14)]
    assert members([*counts, (3, northeast, 10)], northeast) == {2, 3}
    assert members(counts, florida) == {1}
    assert members([(4, northeast, 1)], northeast) == {4}
    assert members(counts, "Central") == set()
