"""The expected state: what the database must hold, compared with what is stored, match by match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from system.contract.match import Match

FIELDS = (
    "home_team",
    "away_team",
    "match_date",
    "match_time",
    "kickoff",
    "season",
    "age_group",
    "league",
    "division",
    "division_id",
    "match_type",
    "match_status",
    "home_score",
    "away_score",
    "external_match_id",
    "location",
    "notes",
    "source",
)
"""What the season, or the sender of a message, says of a match."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One difference: `field` is "(missing)" or "(unexpected)" if a whole match differs."""

    identity: str
    field: str
    stored: Any
    truth: Any

    def __str__(self) -> str:
        return f"{self.identity} {self.field}: stored {self.stored!r}, true is {self.truth!r}"


def of(match: Match) -> dict[str, Any]:
    """A match as the API should show it after this observation."""
    return {
        **match.model_dump(mode="json", include=set(FIELDS)),
        "kickoff": match.kickoff and match.kickoff.isoformat(),
        "match_status": match.status.value,
        "season": match.season_key,
    }


def compare(
    stored: Iterable[Mapping[str, Any]], truth: Mapping[str, Mapping[str, Any]]
) -> list[Mismatch]:
    """Every difference between the database and the truth, both ways. Pure.

    Args:
        stored: matches as the API shows them.
        truth: by identity, each with FIELDS.
    """
    found: list[Mismatch] = []
    left = dict(truth)
    for match in stored:
        identity = str(match["identity"])
        true = left.pop(identity, None)
        if true is None:
            found.append(Mismatch(identity, "(unexpected)", match.get("match_date"), None))
            continue
        found.extend(
            Mismatch(identity, field, match.get(field), true.get(field))
            for field in FIELDS
            if _value(field, match.get(field)) != _value(field, true.get(field))
        )
    found.extend(
        Mismatch(identity, "(missing)", None, true["match_date"]) for identity, true in left.items()
    )
    return found


def compare_newest(
    stored: Iterable[Mapping[str, Any]], newest: Mapping[str, tuple[datetime, str]]
) -> list[Mismatch]:
    """Every stored match that is not the newest observation of it that has a receipt. Pure.

    Args:
        stored: matches as the API shows them.
        newest: by identity, `observed_at` and message id of the newest receipt.
    """
    found = []
    for match in stored:
        identity = str(match["identity"])
        true = dict(zip(("observed_at", "message_id"), newest.get(identity, ("", "")), strict=True))
        found += [
            Mismatch(identity, field, match.get(field), value)
            for field, value in true.items()
            if _value(field, match.get(field)) != value
        ]
    return found


def _value(field: str, shown: Any) -> Any:
    """A time is one moment, however it is written."""
    if field in ("kickoff", "observed_at") and isinstance(shown, str):
        try:
            return datetime.fromisoformat(shown)
        except ValueError:
            return shown
    return shown
