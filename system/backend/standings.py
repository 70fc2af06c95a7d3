"""The league table, computed from results. Pure: no clock, no database.

Order: points (3, 1, 0), goal difference, goals scored; among teams equal in all three the points
and then the goal difference of the matches between them; then the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

POINTS_FOR_WIN, POINTS_FOR_DRAW = 3, 1
VISITOR_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Team:
    """A team that plays in this table; two teams may share a name, not an id."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class FinalScore:
    """The final score of a match."""

    home: Team
    away: Team
    home_score: int
    away_score: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A team's line in the table.

    Attributes:
        rank: from 1.
        form: the newest five results as W, D and L, newest last.
    """

    rank: int
    team: Team
    played: int
    won: int
    drawn: int
    lost: int
    goals_for: int
    goals_against: int
    points: int
    form: str

    @property
    def goal_difference(self) -> int:
        """Goals scored minus goals conceded."""
        return self.goals_for - self.goals_against


@dataclass(slots=True)
class _Tally:
    team: Team
    results: list[str]
    goals_for: int = 0
    goals_against: int = 0

    def add(self, scored: int, conceded: int) -> None:
        self.goals_for += scored
        self.goals_against += conceded
        self.results.append("W" if scored > conceded else "D" if scored == conceded else "L")

    @property
    def points(self) -> int:
        return POINTS_FOR_WIN * self.results.count("W") + POINTS_FOR_DRAW * self.results.count("D")

    @property
    def difference(self) -> int:
        return self.goals_for - self.goals_against

    @property
    def key(self) -> tuple[int, int, int]:
        """The sort key; the greatest ranks first."""
        return self.points, self.difference, self.goals_for


def league_table(results: Sequence[FinalScore], teams: Iterable[Team] = ()) -> list[Standing]:
    """Return the table, best first.

    Args:
        results: in the order in which they were played; only `form` depends on it.
        teams: those that belong to the table though they have no result yet.
    """
    tallies = sorted(_tally(results, teams), key=lambda each: each.key, reverse=True)
    ranked: list[_Tally] = []
    for _, tied in groupby(tallies, key=lambda each: each.key):
        ranked.extend(_among_themselves(list(tied), results))
    return [_row(rank, each) for rank, each in enumerate(ranked, start=1)]


def members(matches: Iterable[tuple[int, str, int]], division: str) -> set[int]:
    """Return the teams that belong to a division, and do not only visit it.

    Matches of two divisions are listed in one of them. A club may have a team in two divisions of
    one age and league, each with a season of its own; so a team belongs to every division in which
    it plays at least a VISITOR_SHARE of what it plays in the one where it plays most.

    Args:
        matches: team, division, and how many matches the team has there, played or not.
    """
    there: dict[int, int] = {}
    most: dict[int, int] = {}
    for team, of, count in matches:
        most[team] = max(count, most.get(team, 0))
        if of == division:
            there[team] = count
    return {team for team, count in there.items() if count >= VISITOR_SHARE * most[team]}


def _tally(results: Iterable[FinalScore], teams: Iterable[Team]) -> list[_Tally]:
    tallies = {team: _Tally(team, []) for team in teams}
    for result in results:
        for team, scored, conceded in (
            (result.home, result.home_score, result.away_score),
            (result.away, result.away_score, result.home_score),
        ):
            tallies.setdefault(team, _Tally(team, [])).add(scored, conceded)
    return list(tallies.values())


def _among_themselves(tied: list[_Tally], results: Iterable[FinalScore]) -> list[_Tally]:
    teams = {tally.team for tally in tied}
    between = [result for result in results if result.home in teams and result.away in teams]
    direct = {tally.team: tally for tally in _tally(between, teams)}
    return sorted(
        tied,
        key=lambda each: (
            -direct[each.team].points,
            -direct[each.team].difference,
            each.team.name,
            each.team.id,
        ),
    )


def _row(rank: int, tally: _Tally) -> Standing:
    return Standing(
        rank=rank,
        team=tally.team,
        played=len(tally.results),
        won=tally.results.count("W"),
        drawn=tally.results.count("D"),
        lost=tally.results.count("L"),
        goals_for=tally.goals_for,
        goals_against=tally.goals_against,
        points=tally.points,
        form="".join(tally.results[-5:]),
    )
