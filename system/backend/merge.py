"""What a match shows after one more observation of it. Pure: no clock, no database.

Each field shows what the newest observation says that says anything about it; what is left out
changes nothing. So the order in which observations arrive does not matter. Status and scores go
together, and an observation without a time of its own cannot undo a result: if it says that the
match is not over, it ranks below every other one. Nor can it turn a result round: a score belongs
to its team, whoever is named first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any

from system.contract import names, playing
from system.contract.match import Match
from system.contract.observation import RESULT, Observation
from system.contract.submission import Effect

Stamp = tuple[datetime, str]
"""The age of an observation: newest wins by (observed_at, message_id)."""

Rank = tuple[int, datetime, str]
"""Which of two statements about one field counts: the greater."""

FIELDS = {
    RESULT: ("status", "home_score", "away_score"),
    **{
        name: (name,)
        for name in (
            "match_time",
            "league",
            "division",
            "division_id",
            "location",
            "notes",
            "source",
        )
    },
}
"""What an observation may leave out, each with the columns that it fills."""

ALWAYS = ("home_team", "away_team", "match_date", "season", "age_group", "match_type")
"""What every observation says."""

OPTIONAL = ("external_match_id", *(column for columns in FIELDS.values() for column in columns))

_WEAK, _STRONG = 0, 1


@dataclass(frozen=True, slots=True)
class Row:
    """A stored match, without its number.

    Attributes:
        shown: the columns ALWAYS and OPTIONAL, in the types of `Match`.
        stamp: of the newest observation.
        ranks: of the statement that each of FIELDS shows; without those that nothing was said of.
    """

    shown: Mapping[str, Any]
    stamp: Stamp
    ranks: Mapping[str, Rank]

    @property
    def number(self) -> str | None:
        """The league's number of it, if it is known."""
        number: str | None = self.shown["external_match_id"]
        return number

    @property
    def kickoff(self) -> datetime | None:
        """In UTC; None while the time of day is not known, or none that the calendar has."""
        if self.shown["match_time"] is None:
            return None
        try:
            at = time.fromisoformat(self.shown["match_time"])
            return playing.kickoff_utc(self.shown["match_date"], at)
        except OverflowError:
            return None

    @property
    def meeting(self) -> str:
        """See `meeting`."""
        return meeting(*(self.shown[name] for name in _OF_MEETING))


_OF_MEETING = ("age_group", "match_date", "home_team", "away_team")


@lru_cache(4096)
def meeting(age_group: str, day: date, home_team: str, away_team: str) -> str:
    """The key of two teams of an age meeting on a day, whoever is at home."""
    return "\x1f".join(
        (age_group, day.isoformat(), *sorted((names.key(home_team), names.key(away_team))))
    )


def outranks(candidate: Rank, current: Rank) -> bool:
    """Whether the newer statement replaces the older one; the law "newest wins" rests on this."""
    return candidate > current


def first(observation: Observation, message_id: str) -> Row:
    """The row that a match begins with."""
    stamp = observation.observed_at, message_id
    said = _said(observation.match)
    ranks = dict.fromkeys(
        (name for name in FIELDS if name in observation.stated), (_STRONG, *stamp)
    )
    if RESULT in ranks:
        ranks[RESULT] = _rank(RESULT, observation, stamp)
    return Row(said, stamp, ranks)


def merge(row: Row, observation: Observation, message_id: str) -> tuple[Row, Effect]:
    """The row after this observation, and what the observation did to it.

    Nobody vouches for `source`: it says who spoke last, and does not make an effect.
    """
    stamp = observation.observed_at, message_id
    said = _said(observation.match)
    shown, ranks = dict(row.shown), dict(row.ranks)
    newer = outranks((_STRONG, *stamp), (_STRONG, *row.stamp))
    if newer:
        shown |= _scores_for(said, shown) | {name: said[name] for name in ALWAYS}
    said |= _scores_for(shown, said)
    for name in FIELDS.keys() & observation.stated:
        rank = _rank(name, observation, stamp)
        if name not in ranks or outranks(rank, ranks[name]):
            ranks[name] = rank
            shown |= {column: said[column] for column in FIELDS[name]}
    shown["external_match_id"] = shown["external_match_id"] or said["external_match_id"]
    after = Row(shown, stamp if newer else row.stamp, ranks)
    changed = _visible(after) != _visible(row)
    if newer:
        return after, Effect.UPDATED if changed else Effect.UNCHANGED
    return after, Effect.FILLED if changed else Effect.STALE


def join(kept: Row, other: Row) -> Row:
    """One row for two that turned out to be one match: for each field, what was said last."""
    newest, oldest = (kept, other) if kept.stamp > other.stamp else (other, kept)
    shown, ranks = dict(newest.shown), dict(newest.ranks)
    older = {**oldest.shown, **_scores_for(shown, oldest.shown)}
    for name, rank in oldest.ranks.items():
        if name not in ranks or outranks(rank, ranks[name]):
            ranks[name] = rank
            shown |= {column: older[column] for column in FIELDS[name]}
    shown["external_match_id"] = kept.number or other.number
    return replace(newest, shown=shown, ranks=ranks)


def _scores_for(sides: Mapping[str, Any], scored: Mapping[str, Any]) -> dict[str, Any]:
    """The scores of `scored`, in the order in which `sides` names the teams."""
    home, away = (names.key(sides[side]) for side in ("home_team", "away_team"))
    is_turned = home == names.key(scored["away_team"]) or away == names.key(scored["home_team"])
    of_home, of_away = ("away_score", "home_score") if is_turned else ("home_score", "away_score")
    return {"home_score": scored[of_home], "away_score": scored[of_away]}


def _said(match: Match) -> dict[str, Any]:
    return {
        "home_team": match.home_team,
        "away_team": match.away_team,
        "match_date": match.match_date,
        "season": match.season_key,
        "age_group": match.age_group,
        "match_type": match.match_type,
        "external_match_id": match.external_match_id,
        "status": match.status.value,
        "home_score": match.home_score,
        "away_score": match.away_score,
        "match_time": match.match_time,
        "league": match.league,
        "division": match.division,
        "division_id": match.division_id,
        "location": match.location,
        "notes": match.notes,
        "source": match.source,
    }


def _rank(name: str, observation: Observation, stamp: Stamp) -> Rank:
    weak = name == RESULT and not observation.has_own_time and not observation.match.status.is_over
    return (_WEAK if weak else _STRONG, *stamp)


def _visible(row: Row) -> dict[str, Any]:
    """What a reader sees of it; two spellings of one team are the same."""
    shown = {name: value for name, value in row.shown.items() if name != "source"}
    return shown | {side: names.key(shown[side]) for side in ("home_team", "away_team")}


def ranks_as_json(row: Row) -> dict[str, list[Any] | None]:
    """The ranks in which a row differs from the usual: all of them strong, and of its newest stamp.

    None for what nothing was said of.
    """
    usual = (_STRONG, *row.stamp)
    kept: dict[str, list[Any] | None] = {}
    for name in FIELDS:
        rank = row.ranks.get(name)
        if rank is None:
            kept[name] = None
        elif rank != usual:
            kept[name] = [rank[0], rank[1].isoformat(), rank[2]]
    return kept


def ranks_from_json(kept: Mapping[str, Any], stamp: Stamp) -> dict[str, Rank]:
    """The reverse of `ranks_as_json`."""
    ranks: dict[str, Rank] = {}
    for name in FIELDS:
        rank = kept.get(name, (_STRONG, *stamp))
        if rank is not None:
            strength, at, message_id = rank
            at = at if isinstance(at, datetime) else datetime.fromisoformat(at).astimezone(UTC)
            ranks[name] = (strength, at, message_id)
    return ranks
