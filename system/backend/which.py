"""Which stored match an observation is about, if its key does not tell. Pure.

The league's number decides where there is one. Without it, or where a match was first seen without
it, the teams, the day, the age group, the league, the division and the kind of match do: whoever is
at home, for pages turn teams round when they add the result. What could be two matches is kept
apart and said.
"""

from __future__ import annotations

from collections.abc import Sequence

from system.backend.merge import Row
from system.contract.errors import ContractViolation, Violation
from system.contract.observation import Observation


class Conflict(ContractViolation):
    """What a message says cannot be true together with what is stored."""


def check(row: Row, observation: Observation) -> None:
    """Refuse what cannot be the match whose number it bears.

    Raises:
        Conflict: the number belongs to a match of another age group.
    """
    stored, said = row.shown, observation.match
    if stored["age_group"] != said.age_group:
        rule = (
            f"is the number of a match of {stored['age_group']} ({stored['home_team']} v"
            f" {stored['away_team']}, {stored['match_date']}), and this one says {said.age_group}"
        )
        raise Conflict([Violation("external_match_id", str(said.external_match_id), rule)])


def choose(rows: Sequence[Row], row: Row) -> tuple[int | None, list[int]]:
    """Choose among the matches of two teams on one day.

    Args:
        rows: the stored matches of one meeting; see `merge.meeting`.
        row: a match of the same meeting, as an observation shows it.

    Returns:
        The place of the match that it is, None if it is a new one; and for a new one the places of
        those that it may be.
    """
    may_be = [at for at, other in enumerate(rows) if _may_be(other, row)]
    if row.shown["match_time"] is not None:
        at_this_time = [
            at for at in may_be if rows[at].shown["match_time"] == row.shown["match_time"]
        ]
        may_be = at_this_time or may_be
    surely = [at for at in may_be if not _is_other_leg(rows[at], row)]
    if len(may_be) == len(surely) == 1:
        return surely[0], []
    return None, may_be


def _may_be(one: Row, other: Row) -> bool:
    if one.number is not None and other.number is not None:
        return False  # two numbers, two matches
    return one.shown["match_type"].casefold() == other.shown["match_type"].casefold() and all(
        name not in one.ranks or name not in other.ranks or one.shown[name] == other.shown[name]
        for name in ("league", "division")
    )


def _is_other_leg(one: Row, other: Row) -> bool:
    """Whether it is the other way round and at another time: perhaps a second match of the day."""
    turned = one.shown["home_team"].casefold() != other.shown["home_team"].casefold()
    times = {one.shown["match_time"], other.shown["match_time"]} - {None}
    return turned and len(times) == 2
