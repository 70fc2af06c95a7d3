"""Matches of two divisions: the site lists them in one, and names a team of the other there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from lab.workload.league.dice import Dice
from lab.workload.league.fates import Fate
from lab.workload.league.fixtures import Fixture

MATCHES_MIN = 10
"""So many matches of its own a team has at least that visits, is visited, or stays at home for it:
a few rows more or less leave no doubt where it plays."""


def with_visitors(
    fixtures: Sequence[Fixture], drawn: Sequence[Fate], seed: int
) -> list[tuple[Fixture, Fate]]:
    """Let a team of another division be away in the matches with that fate, where there is one.

    A match that finds no visitor is played as scheduled.
    """
    dice = Dice(seed, "visitors")
    matches = Counter(
        (each.league, each.age_group, each.division, team)
        for each in fixtures
        for team in (each.home, each.away)
    )
    free = {key for key, count in matches.items() if count >= MATCHES_MIN}
    result: list[tuple[Fixture, Fate]] = []
    for fixture, fate in zip(fixtures, drawn, strict=True):
        if fate is not Fate.VISITOR:
            result.append((fixture, fate))
            continue
        group = fixture.league, fixture.age_group, fixture.division
        own = {team for *of, team in matches if tuple(of) == group}
        others = sorted(
            team
            for league, age, division, team in free
            if (league, age) == group[:2] and division != group[2] and team not in own
        )
        if not others or not {(*group, fixture.home), (*group, fixture.away)} <= free:
            result.append((fixture, Fate.PLAYED))
            continue
        visitor = dice.pick(others)
        free -= {key for key in free if key[:2] == group[:2] and key[3] == visitor}
        free -= {(*group, fixture.home), (*group, fixture.away)}
        result.append((replace(fixture, away=visitor), fate))
    return result
