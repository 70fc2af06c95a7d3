"""The expected state: what the database must hold, compared with what is stored, match by match."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from system.contract.match import SILENT_IF_NULL, Match

NUMBER = "external_match_id"
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


def after(before: Mapping[str, Any] | None, match: Match) -> dict[str, Any]:
    """A match as the API should show it after a newer observation: what that leaves out stays.

    A score stays with its team, also if the sides are turned; a time of day stays if the day moves.
    """
    shown = of(match)
    said = {
        name
        for name in match.model_fields_set
        if getattr(match, name) is not None or name not in SILENT_IF_NULL
    }
    result = {"match_status", "home_score", "away_score"}
    if said & result:
        said |= result
    stays = dict(before or shown)
    if stays["home_team"].casefold() == shown["away_team"].casefold():
        stays |= {"home_score": stays["away_score"], "away_score": stays["home_score"]}
    shown |= {name: stays[name] for name in FIELDS if name not in said}
    kickoff = match.model_copy(update={"match_time": shown["match_time"]}).kickoff
    return shown | {"kickoff": kickoff and kickoff.isoformat()}


def compare(
    stored: Iterable[Mapping[str, Any]],
    truth: Mapping[str, Mapping[str, Any]],
    aliases: Mapping[str, str] | None = None,
) -> list[Mismatch]:
    """Every difference between the database and the truth, both ways. Pure.

    A match whose number is not true yet may hold it all the same: others may have told it.

    Args:
        stored: matches as the API shows them.
        truth: by identity, each with FIELDS.
        aliases: other identities under which a match of the truth may be stored.
    """
    found: list[Mismatch] = []
    left = dict(truth)
    for match in stored:
        identity = str(match["identity"])
        identity = (aliases or {}).get(identity, identity)
        true = left.pop(identity, None)
        if true is None:
            found.append(Mismatch(identity, "(unexpected)", match.get("match_date"), None))
            continue
        found.extend(
            Mismatch(identity, field, match.get(field), true.get(field))
            for field in FIELDS
            if _value(field, match.get(field)) != _value(field, true.get(field))
            and not (field == NUMBER and true.get(field) is None and match.get(field) == identity)
        )
    found.extend(
        Mismatch(identity, "(missing)", None, true["match_date"]) for identity, true in left.items()
    )
    return found


def compare_newest(
    stored: Iterable[Mapping[str, Any]], newest: Mapping[int, tuple[datetime, str]]
) -> list[Mismatch]:
    """Every stored match that is not the newest observation of it that has a receipt. Pure.

    Args:
        stored: matches as the API shows them.
        newest: by the id of a match, `observed_at` and message id of its newest receipt.
    """
    found = []
    for match in stored:
        identity = str(match["identity"])
        observed_at, message_id = newest.get(match["id"], ("", ""))
        found += [
            Mismatch(identity, field, match.get(field), value)
            for field, value in (("observed_at", observed_at), ("message_id", message_id))
            if _value(field, match.get(field)) != value
        ]
    return found


def _value(field: str, shown: Any) -> Any:
    """A time is one moment, however it is written, and so is a team."""
    if field in ("home_team", "away_team") and isinstance(shown, str):
        return shown.casefold()
    if field in ("kickoff", "observed_at") and isinstance(shown, str):
        try:
            return datetime.fromisoformat(shown)
        except ValueError:
            return shown
    return shown
