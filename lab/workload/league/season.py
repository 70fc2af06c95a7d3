"""What happens in a season, from a seed: what the site shows at a moment, and what is then true.

A season is computed once and never changes; it can be seen as of any moment. `rows_at` is what a
scraper gets to read, `truth_at` what the pipeline must have stored after reading it.

A match never moves while its league id is not printed, because such a match could not be
distinguished from a new one: its identity is then derived from its teams and its date.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, cast

from lab.workload.league.clubs import LEAGUES
from lab.workload.league.dice import Dice
from lab.workload.league.fates import WITHOUT_ID, Fate, fates
from lab.workload.league.fixtures import SEASON, Fixture, fixture_list
from lab.workload.league.moments import spread
from lab.workload.league.rows import MATCH_TYPE, Row, row_of
from lab.workload.league.strays import Stray, strays
from lab.workload.league.timeline import Ruling, Version, timeline
from lab.workload.league.visitors import with_visitors
from system.contract.match import Match, Status
from system.contract.playing import kickoff_utc

MATCHES_USUAL = 1040
SOURCE = "match-scraper"
STORED_MAX = 50_000
"""Matches that are kept, so that they are not made anew for each moment; some 2 kB each."""
"""What the scraper calls itself in its messages. Pages have neither notes nor division ids."""


@dataclass(frozen=True, slots=True)
class MatchStory:
    """One readable match through the season.

    Attributes:
        identity: the league's id, or what `Match.identity` gives in the first version.
        aliases: the other identities that its versions have: without the id, or turned round.
        external_id: the league's id; None for a match without one.
        fixture: as it was first scheduled.
        versions: oldest first; the first also stands for all time before it.
    """

    number: int
    identity: str
    aliases: frozenset[str]
    external_id: str | None
    fixture: Fixture
    fate: Fate
    versions: tuple[Version, ...]

    def index_at(self, moment: datetime) -> int:
        """Which version the site shows at `moment`."""
        for index in range(len(self.versions) - 1, 0, -1):
            if self.versions[index].since <= moment:
                return index
        return 0


@dataclass(frozen=True, slots=True)
class Season:
    """All that happens in one season. Build it with `Season.generate`."""

    seed: int
    stories: tuple[MatchStory, ...]
    strays: tuple[Stray, ...]

    @property
    def aliases(self) -> dict[str, str]:
        """Every other identity that a match has for a while, and its lasting one."""
        return {alias: story.identity for story in self.stories for alias in story.aliases}

    def teams(self) -> dict[tuple[str, str, str], set[str]]:
        """The teams of each league, age group and division; a visitor is none of them."""
        found: dict[tuple[str, str, str], set[str]] = {}
        for story in self.stories:
            fixture = story.fixture
            group = found.setdefault((fixture.league, fixture.age_group, fixture.division), set())
            group |= {fixture.home} | ({fixture.away} if story.fate is not Fate.VISITOR else set())
        return found

    @classmethod
    def generate(cls, seed: int, matches: int = MATCHES_USUAL) -> Season:
        """Return the season of `seed`, with exactly `matches` matches that a scraper can read.

        Raises:
            ValueError: `matches` is too large or too small.
        """
        fixtures = fixture_list(seed, matches)
        ids = _ids(seed)
        stories = tuple(
            _story(seed, number, fixture, fate, next(ids))
            for number, (fixture, fate) in enumerate(
                with_visitors(fixtures, fates(matches, Dice(seed, "fates")), seed)
            )
        )
        return cls(seed, stories, tuple(strays(seed, fixtures, ids)))

    def moments(self, n: int) -> list[datetime]:
        """Return `n` moments in UTC, from three days before the first match to after the last.

        At the last one everything has happened; a single moment is that one. If there is room
        between them, they fall on weekends and the Mondays after, when the pages change most, and
        never within ten minutes before a kickoff.
        """
        versions = [version for story in self.stories for version in story.versions]
        begin = kickoff_utc(min(v.day for v in versions), time(0)) - timedelta(days=3)
        last_day = kickoff_utc(max(v.day for v in versions), time(0))
        end = max(last_day, *(v.since for v in versions)) + timedelta(days=2)
        return spread(begin, end, n)

    def rows_at(self, moment: datetime) -> list[Row]:
        """Return what the site shows at `moment`, in its order, unreadable rows included.

        Leagues one after the other; within a league by date, time and number.
        """
        placed = []
        for story in self.stories:
            index = story.index_at(moment)
            version = story.versions[index]
            dice = Dice(self.seed, "print", story.number, index)
            row = row_of(story.fixture, story.external_id, version, dice)
            order = _order(story.fixture.league, version.day, version.at, story.number)
            placed.append((order, row))
        for number, stray in enumerate(self.strays, start=len(self.stories)):
            if stray.shows_at(moment):
                fixture = stray.fixture
                placed.append((_order(fixture.league, fixture.day, fixture.at, number), stray.row))
        return [row for _, row in sorted(placed, key=lambda each: each[0])]

    def unreadable_at(self, moment: datetime) -> int:
        """Return how many of the rows at `moment` cannot be read."""
        return sum(stray.shows_at(moment) for stray in self.strays)

    def truth_at(self, moment: datetime) -> dict[str, Match]:
        """Return what must be stored once everything seen at `moment` took effect, by identity.

        The identities are the lasting ones; a match whose id is not printed at `moment` lacks it.
        """
        return {
            story.identity: _seen(
                story.fixture, story.external_id, story.versions[story.index_at(moment)], moment
            )
            for story in self.stories
        }


def status_at(version: Version, age_group: str, moment: datetime) -> Status:
    """The status that must be stored of a match which is seen as `version` at `moment`."""
    if version.call is not Ruling.NONE:
        return Status(version.call.value)
    if version.home_score is not None and version.can_be_over(age_group, moment):
        return Status.COMPLETED
    if not version.is_past(moment):
        return Status.SCHEDULED
    return Status.TBD if version.home_score is None else Status.LIVE


def _ids(seed: int) -> Iterator[str]:
    dice = Dice(seed, "ids")
    number = 95_000 + dice.between(0, 4_000)
    while True:
        yield str(number)
        number += dice.between(1, 3)


def _story(seed: int, number: int, fixture: Fixture, fate: Fate, league_id: str) -> MatchStory:
    versions = timeline(fixture, fate, Dice(seed, "timeline", number))
    external_id = None if fate in WITHOUT_ID else league_id
    shown = [_seen(fixture, external_id, each, each.since).identity for each in versions]
    identity = external_id or shown[0]
    aliases = frozenset(shown) - {identity}
    return MatchStory(number, identity, aliases, external_id, fixture, fate, versions)


def _order(league: str, day: date, at: time | None, number: int) -> tuple[int, date, time, int]:
    return LEAGUES.index(league), day, at or time(0), number


def _seen(fixture: Fixture, external_id: str | None, version: Version, moment: datetime) -> Match:
    return _match(fixture, external_id, version, status_at(version, fixture.age_group, moment))


@lru_cache(maxsize=STORED_MAX)  # a season is looked at again and again, and little has changed
def _match(fixture: Fixture, external_id: str | None, version: Version, status: Status) -> Match:
    played = status in (Status.LIVE, Status.COMPLETED, Status.FORFEIT)
    return Match(
        home_team=version.home,
        away_team=version.away,
        match_date=version.day,
        match_time=None if version.at is None else f"{version.at:%H:%M}",
        season=SEASON,
        age_group=fixture.age_group,
        league=cast(Literal["Homegrown", "Academy"], fixture.league),
        division=fixture.division,
        match_type=MATCH_TYPE,
        match_status=status,
        home_score=version.home_score if played else None,
        away_score=version.away_score if played else None,
        external_match_id=external_id if version.numbered else None,
        location=version.venue,
        source=SOURCE,
    )
