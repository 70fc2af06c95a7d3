"""The parameters of reading requests: their format and their meaning."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from system.backend import queries, receipts
from system.contract.match import Status
from system.contract.schema import SCHEMA

_PROPERTIES = SCHEMA["properties"]

# No control characters: PostgreSQL cannot hold NUL, and names on the wire have none either.
_Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_Season = Annotated[
    str, Field(pattern=_PROPERTIES["season"]["pattern"]), AfterValidator(queries.season_key)
]
_AgeGroup = Annotated[str, Field(pattern=_PROPERTIES["age_group"]["pattern"])]
_OrNone = "; empty means those without one"


class MatchFilters(BaseModel):
    """Filters of `GET /api/matches`; all that are given must hold."""

    model_config = ConfigDict(extra="forbid")

    season: _Season | None = Field(None, description="2025-26 or 2025-2026")
    age_group: _AgeGroup | None = Field(None, description="U14")
    league: _Text | None = Field(None, description="Homegrown or Academy" + _OrNone)
    division: _Text | None = Field(None, description="Its exact name" + _OrNone)
    team: Annotated[_Text, AfterValidator(queries.team_key)] | None = Field(
        None, description="Either team, by any name that senders use for it"
    )
    status: Status | None = Field(None, description="The status of the match")
    date_from: date | None = Field(None, description="First day, US Eastern")
    date_to: date | None = Field(None, description="Last day, US Eastern")
    external_match_id: _Text | None = Field(None, description="The league's id of the match")
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = Field(
        None, description="`next` of the page before"
    )
    limit: int = Field(100, ge=1, le=queries.PAGE_MAX, description="Matches at most")


class TableFilters(BaseModel):
    """Which league table `GET /api/table` returns."""

    model_config = ConfigDict(extra="forbid")

    season: _Season = Field(description="2025-26 or 2025-2026")
    age_group: _AgeGroup = Field(description="U14")
    league: _Text | None = Field(None, description="Homegrown or Academy" + _OrNone)
    division: _Text | None = Field(None, description="Its exact name" + _OrNone)
    match_type: _Text = Field("League", description="Other matches do not count for a table")


class ReceiptFilters(BaseModel):
    """Where `GET /api/receipts` continues."""

    model_config = ConfigDict(extra="forbid")

    after: Annotated[str, Field(pattern=receipts.CURSOR_PATTERN)] = Field(
        receipts.START, description="`next` of the page before; without it, from the beginning"
    )
    limit: int = Field(1000, ge=1, le=receipts.LIMIT_MAX, description="Receipts at most")


MatchQuery = Annotated[MatchFilters, Query()]
TableQuery = Annotated[TableFilters, Query()]
ReceiptQuery = Annotated[ReceiptFilters, Query()]
