"""What a score cell says. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from system.contract.match import Status
from system.contract.names import clean

_NOTHING_YET = frozenset({"", "TBD", "VS", "V", "@", "NOT STARTED", "PENDING"})
_CALLED_OFF = {
    "POSTPONED": Status.POSTPONED,
    "PPD": Status.POSTPONED,
    "CANCELLED": Status.CANCELLED,
    "CANCELED": Status.CANCELLED,
    "CANC": Status.CANCELLED,
}
_PLAYED = re.compile(r"([0-9]{1,3}) ?[-–—:] ?([0-9]{1,3})")  # noqa: RUF001 - dashes of the pages
_FORFEIT = re.compile(r"\((?:FF|FORFEIT)\)|FORFEIT|\bFF\b")


@dataclass(frozen=True, slots=True)
class Score:
    """What the cell of one match says.

    Attributes:
        home: goals of the first team, or None while there is no score.
        away: goals of the second team; None exactly when `home` is.
        word: a status that the cell itself gives (postponed, cancelled, forfeit), else None.
    """

    home: int | None = None
    away: int | None = None
    word: Status | None = None


def score(text: str) -> Score:
    """Read a score cell.

    Raises:
        ValueError: the cell says something that is neither a score nor a known word.
    """
    said = clean(text).upper()
    if said in _NOTHING_YET:
        return Score()
    if said in _CALLED_OFF:
        return Score(word=_CALLED_OFF[said])
    bare = clean(_FORFEIT.sub("", said, count=1))
    goals = _PLAYED.fullmatch(bare)
    if goals is None:
        if bare != said and not bare:
            raise ValueError("the score cell says forfeit but gives no score")
        raise ValueError(f"the score cell says {said[:60]!r}, which is no known score or word")
    word = Status.FORFEIT if bare != said else None
    return Score(int(goals[1]), int(goals[2]), word)
