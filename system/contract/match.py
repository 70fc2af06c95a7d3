"""The match on the wire: a model of `match.schema.json`; see `observation` for what it says.

The schema is the source of truth. This model adds the rules that a schema cannot say (two different
teams, a kickoff that the clock shows) and the words of a refusal. Tests generate values from the
schema and hold the two against each other, both ways.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from system.contract import names
from system.contract.errors import ContractViolation, Violation, abbreviate, kind_of
from system.contract.playing import is_shown, kickoff_utc
from system.contract.schema import (
    DIVISION_MAX,
    NAME_MAX,
    DivisionId,
    DivisionName,
    Line,
    MatchNumber,
    Name,
    Score,
    ShortName,
    Text,
    shape_of,
)

SILENT_IF_NULL = frozenset(
    {
        "match_status",
        "external_match_id",
        "league",
        "division",
        "division_id",
        "notes",
        "source",
        "observed_at",
    }
)
"""Fields for which null says as little as leaving them out: no match loses its number or league."""


class Status(StrEnum):
    """The status of a match."""

    SCHEDULED = "scheduled"
    TBD = "tbd"
    LIVE = "live"
    COMPLETED = "completed"
    POSTPONED = "postponed"
    CANCELLED = "cancelled"
    FORFEIT = "forfeit"

    @property
    def is_over(self) -> bool:
        """Whether the result is final and counts for the table."""
        return self in (Status.COMPLETED, Status.FORFEIT)


def _usual(limit: int, usual: Callable[[str], str]) -> AfterValidator:
    """Put a name in its usual form, unless that no longer fits the contract."""

    def change(name: str) -> str:
        changed = usual(name)
        return changed if 0 < len(changed) <= limit else name

    return AfterValidator(change)


def _league(value: Any) -> Any:
    return names.league(value) or value if isinstance(value, str) else value


class Match(BaseModel):
    """One observation of one match. Frozen; every field as on the wire, names in their usual form.

    `match_date` and `match_time` are US Eastern, as the league prints them; `match_time` is None
    if the kickoff is not known yet. What the sender left out is not in `model_fields_set`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    home_team: Annotated[Name, _usual(NAME_MAX, names.team)]
    away_team: Annotated[Name, _usual(NAME_MAX, names.team)]
    match_date: Annotated[date, shape_of("match_date", "a date like 2025-10-18")]
    season: Annotated[Line, shape_of("season", "like 2025-26")]
    age_group: Annotated[Line, shape_of("age_group", "like U14")]
    match_type: ShortName
    division: Annotated[DivisionName, _usual(DIVISION_MAX, names.clean)] | None = None
    division_id: DivisionId | None = None
    league: Annotated[Literal["Homegrown", "Academy"], BeforeValidator(_league)] | None = None
    home_score: Score | None = None
    away_score: Score | None = None
    match_status: Status | None = None
    external_match_id: Annotated[MatchNumber, AfterValidator(names.number)] | None = None
    match_time: Annotated[str, shape_of("match_time", "a time like 15:45")] | None = None
    location: Text | None = None
    notes: Text | None = None
    source: ShortName | None = None
    observed_at: (
        Annotated[
            AwareDatetime,
            shape_of("observed_at", "a time with its offset, like 2025-10-18T15:45:00-04:00"),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _rules_across_fields(self) -> Match:
        broken = list(_broken_across(self))
        if broken:
            raise PydanticCustomError("across", "{rules}", {"rules": "; ".join(broken)})
        return self

    @property
    def status(self) -> Status:
        """The status; derived from the scores if the sender left it open."""
        if self.match_status is not None:
            return self.match_status
        return Status.SCHEDULED if self.home_score is None else Status.COMPLETED

    @property
    def season_key(self) -> str:
        """The season in one spelling: both 2025-26 and 2025-2026 give "2025-26"."""
        first, last = self.season.split("-")
        return f"{first}-{last[-2:]}"

    @property
    def identity(self) -> str:
        """The key under which a match is one match: the league's id, or a derived one.

        If the league gives no id, the key is made from what names the match (season, league, age
        group, division, type, teams, date), so it is the same from scrape to scrape. The store
        knows which keys mean one match; see docs/decisions/0013-one-match-one-row.md.
        """
        return self.external_match_id or derived_identity(self)

    @property
    def kickoff(self) -> datetime | None:
        """The kickoff in UTC, or None while the time of day is not known."""
        if self.match_time is None:
            return None
        return kickoff_utc(self.match_date, time.fromisoformat(self.match_time))


def derived_identity(match: Match) -> str:
    """A stable key for a match without a league id: `~` and 32 hexadecimal digits."""
    parts = (
        match.season_key,
        match.league or "",
        match.age_group,
        match.division or "",
        match.match_type,
        names.key(match.home_team),
        names.key(match.away_team),
        match.match_date.isoformat(),
    )
    return "~" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _broken_across(match: Match) -> list[str]:
    """The rules that concern more than one field."""
    broken = []
    if names.key(match.home_team) == names.key(match.away_team):
        broken.append("home_team and away_team must be two different teams")
    if (match.home_score is None) != (match.away_score is None):
        broken.append("home_score and away_score: both or neither")
    elif match.home_score is None and match.match_status is not None and match.match_status.is_over:
        broken.append(f"a {match.match_status} match needs both scores")
    if match.match_time is not None:
        try:
            if not is_shown(match.match_date, time.fromisoformat(match.match_time)):
                broken.append("match_time does not exist on that day (clocks go forward)")
        except OverflowError:
            broken.append("the kickoff in UTC lies beyond the calendar (years 1 to 9999)")
    return broken


def parse(payload: Any) -> Match:
    """Turn decoded JSON into a match.

    Raises:
        ContractViolation: with field, value and rule for every rule broken.
    """
    if not isinstance(payload, Mapping):
        raise ContractViolation(
            [
                Violation(
                    "(match)",
                    abbreviate(payload),
                    f"must be an object, not {kind_of(payload)}",
                )
            ]
        )
    try:
        return Match.model_validate(payload)
    except ValidationError as error:
        raise ContractViolation(
            [_violation(problem, payload) for problem in error.errors()]
        ) from None


def dump(match: Match) -> dict[str, Any]:
    """What an observation says, as JSON: the fields that were given, null where that is said."""
    said = match.model_dump(mode="json", exclude_unset=True)
    return {
        name: value
        for name, value in said.items()
        if value is not None or name not in SILENT_IF_NULL
    }


_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of the contract",
    "int_type": "must be an integer",
    "string_type": "must be text",
    "string_too_long": "must have at most {max_length} characters",
    "string_unicode": "must be valid Unicode text",
}


def _violation(error: ErrorDetails, payload: Mapping[str, Any]) -> Violation:
    if not error["loc"]:
        teams = {k: payload.get(k) for k in ("home_team", "away_team", "home_score", "away_score")}
        return Violation("(match)", abbreviate(teams), error["msg"])
    field = str(error["loc"][0])
    value = "nothing" if error["type"] == "missing" else abbreviate(payload.get(field))
    rule = _WORDS.get(error["type"], error["msg"]).format_map(error.get("ctx", {}))
    return Violation(abbreviate(field).strip("'\""), value, rule)
