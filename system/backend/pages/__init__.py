"""The league table for people: HTML made on the server, no script, no cookie, one request."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, select_autoescape

from system.backend.answers import ERRORS
from system.backend.database import Database
from system.backend.pages.overview import GroupQuery, gather
from system.contract.playing import LEAGUE_TIME

HEADERS = {
    # Nothing but the style inside the page itself: names come from foreign web sites.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "public, max-age=15",
}

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
# fmt: off
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun",
           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# fmt: on

_Choice = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]

router = APIRouter(include_in_schema=False, responses=ERRORS)


def _day(value: date) -> str:
    """Sat 18 Oct 2025, the same on every machine's locale."""
    return f"{_DAYS[value.weekday()]} {value.day} {_MONTHS[value.month - 1]} {value.year}"


def _signed(value: int) -> str:
    """A difference with its sign; a true minus sign is as wide as the plus."""
    return f"{value:+d}".replace("-", "\N{MINUS SIGN}") if value else "0"


def _moment(value: datetime) -> str:
    """A time as the league's readers know it, US Eastern."""
    local = value.astimezone(LEAGUE_TIME)
    return f"{_day(local.date())}, {local:%H:%M} {local.tzname()}"


_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(default=True),
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(day=_day, signed=_signed, moment=_moment)


@router.get("/", response_class=HTMLResponse)
async def league_table(
    request: Request,
    season: _Choice = None,
    age_group: _Choice = None,
    league: _Choice = None,
    division: _Choice = None,
) -> HTMLResponse:
    """The table and the recent results of one group; what is not chosen gets a default."""
    database: Database = request.app.state.database
    today = datetime.now(LEAGUE_TIME).date()
    query = GroupQuery(season, age_group, league, division)
    overview = await database.run("page", lambda connection: gather(connection, query, today))
    page = _templates.get_template("league.html").render(overview=overview)
    return HTMLResponse(page, headers=HEADERS)
