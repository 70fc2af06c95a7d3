"""The fixture list: double round-robins of exactly as many matches as are asked for.

The first legs are played in autumn and the second in spring, with room for make-up dates after each
half. So the two meetings of a pair never fall on one day, however often one is moved, even if a
match changes home and away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time, timedelta

from lab.workload.league.clubs import ClubGroup, groups
from lab.workload.league.dice import Dice

SEASON = "2025-26"
GROUP_SIZE_USUAL = 8  # teams; a season that needs more matches has larger groups

_KICKOFFS = tuple(time(hour, minute) for hour in range(8, 18) for minute in (0, 15, 30, 45))
_EVENINGS = (time(18, 0), time(18, 30), time(19, 0), time(19, 30), time(20, 15))

_PLACES = (
    "Alder", "Birch", "Cedar", "Harbor", "Juniper", "Larkspur", "Meadow", "Mill River",
    "Old Quarry", "Orchard", "Pine Hill", "Prospect", "Ridge", "Saltmarsh", "Stone Bridge",
    "Willow",
)  # fmt: skip
_GROUNDS = ("Park", "Turf", "Complex", "Recreation Center", "Fields", "Stadium")


@dataclass(frozen=True, slots=True)
class Half:
    """One half of the season.

    Attributes:
        first: Saturday of its first weekend.
        weekends: how many weekends its regular matches are spread over.
        makeup_until: the Sunday of the last weekend for matches that were moved.
    """

    first: date
    weekends: int
    makeup_until: date


AUTUMN = Half(date(2025, 9, 6), 15, date(2026, 2, 15))
SPRING = Half(date(2026, 2, 21), 14, date(2026, 6, 28))


def half_of(day: date) -> Half:
    """The half of the season that `day` belongs to."""
    return AUTUMN if day < SPRING.first else SPRING


@dataclass(frozen=True, slots=True)
class Fixture:
    """A match as it was first scheduled. Teams by their stored names, times US Eastern."""

    league: str
    age_group: str
    division: str
    home: str
    away: str
    day: date
    at: time
    venue: str


def fixture_list(seed: int, matches: int) -> list[Fixture]:
    """Return exactly `matches` fixtures, group by group.

    Every ordered pair of teams of a group meets once. If `matches` is odd, the last group is a
    single match.

    Raises:
        ValueError: `matches` is below 1 or more than all groups together can play.
    """
    fixtures = []
    for group, size, count in _sizes(matches):
        dice = Dice(seed, "fixtures", group.league, group.age_group, group.division)
        fixtures += _double_round_robin(group, size, dice)[:count]
    return fixtures


def _sizes(matches: int) -> list[tuple[ClubGroup, int, int]]:
    """Choose (group, teams, matches) so that the matches add up exactly."""
    every = groups()
    largest = max(len(group.clubs) for group in every)
    if matches >= 1:
        for size_max in range(GROUP_SIZE_USUAL, largest + 1):
            chosen, rest = [], matches
            for group in every:
                size = min(size_max, len(group.clubs))
                while size > 2 and size * (size - 1) > rest:
                    size -= 1
                count = min(size * (size - 1), rest)
                if count:
                    chosen.append((group, size, count))
                rest -= count
            if not rest:
                return chosen
    most = sum(len(group.clubs) * (len(group.clubs) - 1) for group in every)
    raise ValueError(f"a season has from 1 to about {most} matches, not {matches}")


def _double_round_robin(group: ClubGroup, size: int, dice: Dice) -> list[Fixture]:
    legs = []
    rounds = _rounds(dice.shuffled(group.clubs[:size]))
    for half in (AUTUMN, SPRING):
        for number, pairs in enumerate(rounds):
            for first, second in pairs:
                home, away = (first, second) if half is AUTUMN else (second, first)
                at = dice.pick(_EVENINGS) if dice.chance(0.08) else dice.pick(_KICKOFFS)
                day = _day(half, number, len(rounds), dice)
                venue = _venue(group, home, dice)
                legs.append(
                    Fixture(
                        group.league, group.age_group, group.division, home, away, day, at, venue
                    )
                )
    return legs


def _rounds(teams: list[str]) -> list[list[tuple[str, str]]]:
    """A single round-robin by the circle method: in each round every team plays once at most."""
    circle: list[str | None] = [*teams, None] if len(teams) % 2 else [*teams]
    rounds = []
    for number in range(len(circle) - 1):
        pairs = []
        for seat in range(len(circle) // 2):
            one, other = circle[seat], circle[-1 - seat]
            if one is not None and other is not None:
                # Alternating, or the fixed seat would be at home through a whole half.
                pairs.append((one, other) if (number + seat) % 2 == 0 else (other, one))
        rounds.append(pairs)
        circle.insert(1, circle.pop())
    return rounds


def _day(half: Half, number: int, rounds: int, dice: Dice) -> date:
    """The day of a match: a random day of its weekend, or a fixed one if two rounds share it."""
    if rounds <= half.weekends:
        weekend, day = number * half.weekends // rounds, dice.between(0, 1)
    else:
        weekend, day = divmod(number * 2 * half.weekends // rounds, 2)
    return half.first + timedelta(weeks=weekend, days=day)


def _venue(group: ClubGroup, home: str, dice: Dice) -> str:
    ground = Dice(group.league, group.division, home)  # a club stays at its ground
    return f"{ground.pick(_PLACES)} {ground.pick(_GROUNDS)} - Field {dice.between(1, 12)}"
