"""`GET /api/…`: matches, the league table, receipts. Public, and nothing here writes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict

from system.backend import queries, receipts
from system.backend.answers import ERRORS, Error, json_response
from system.backend.database import Database
from system.backend.errors import ApiError
from system.backend.parameters import MatchQuery, ReceiptQuery, TableQuery
from system.backend.standings import Standing
from system.contract.submission import Receipt

router = APIRouter(prefix="/api", responses=ERRORS)


class Matches(BaseModel):
    """A page of matches, and the cursor of the next page, null at the end."""

    matches: list[queries.StoredMatch]
    next: str | None


class Line(BaseModel):
    """A team's line in the table; `form` is its newest five results as W, D, L, newest last."""

    model_config = ConfigDict(frozen=True)

    rank: int
    team_id: int
    team: str
    played: int
    won: int
    drawn: int
    lost: int
    goals_for: int
    goals_against: int
    goal_difference: int
    points: int
    form: str


class Table(BaseModel):
    """A league table, best team first."""

    season: str
    age_group: str
    league: str | None
    division: str | None
    rows: list[Line]


class Receipts(BaseModel):
    """A page of receipts, and the cursor after the last of them, to continue from later."""

    receipts: list[Receipt]
    next: str


def _line(row: Standing) -> Line:
    return Line(
        rank=row.rank,
        team_id=row.team.id,
        team=row.team.name,
        played=row.played,
        won=row.won,
        drawn=row.drawn,
        lost=row.lost,
        goals_for=row.goals_for,
        goals_against=row.goals_against,
        goal_difference=row.goal_difference,
        points=row.points,
        form=row.form,
    )


@router.get("/matches", response_model=Matches)
async def list_matches(request: Request, query: MatchQuery) -> Response:
    """Matches in the order of their ids, page by page."""
    database: Database = request.app.state.database
    filters = query.model_dump(exclude={"cursor", "limit"}, exclude_none=True)
    if query.cursor is not None:
        filters["after"] = int(query.cursor)
    page = await database.run(
        "list_matches", lambda connection: queries.matches(connection, filters, query.limit)
    )
    return json_response(Matches(matches=page.matches, next=page.next))


@router.get(
    "/matches/{match_id}",
    response_model=queries.StoredMatch,
    responses={HTTPStatus.NOT_FOUND: {"model": Error}},
)
async def get_match(
    request: Request, match_id: Annotated[int, Path(ge=1, le=queries.ID_MAX)]
) -> Response:
    """One match."""
    database: Database = request.app.state.database
    found = await database.run("get_match", lambda c: queries.match(c, match_id))
    if found is None:
        raise ApiError(HTTPStatus.NOT_FOUND, "not_found", f"There is no match {match_id}.")
    return json_response(found)


@router.get("/table", response_model=Table)
async def get_table(request: Request, query: TableQuery) -> Response:
    """The league table: 3 points for a win, 1 for a draw; completed and forfeited matches."""
    database: Database = request.app.state.database
    filters = query.model_dump(exclude_none=True)
    rows = await database.run("table", lambda c: queries.standings(c, filters))
    return json_response(
        Table(
            season=query.season,
            age_group=query.age_group,
            league=query.league,
            division=query.division,
            rows=[_line(row) for row in rows],
        )
    )


@router.get("/receipts", response_model=Receipts)
async def list_receipts(request: Request, query: ReceiptQuery) -> Response:
    """What took effect, in an order in which none is ever skipped."""
    database: Database = request.app.state.database
    page = await database.run("receipts", lambda c: receipts.read_page(c, query.after, query.limit))
    return json_response(Receipts(receipts=page.receipts, next=page.next))
