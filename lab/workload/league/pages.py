"""Renders pages of the league site as HTML. Pure: values in, text out, everything escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from importlib.resources import files

from lab.workload.league.listing import Page
from lab.workload.league.rows import Row
from system.contract.playing import LEAGUE_TIME

STYLE = files("lab.workload.league").joinpath("style.css").read_text("utf-8")
_PAGES_AROUND = 2  # page numbers shown on either side of the current one


@dataclass(frozen=True, slots=True)
class IndexLine:
    """One line of the index: a moment, the number of matches by status, and its schedule."""

    moment: datetime
    path: str
    counts: tuple[tuple[str, int], ...]


def schedule(
    page: Page,
    number: int,
    count: int,
    moment: datetime,
    href: Callable[[int], str],
    *,
    last_to_itself: bool,
) -> str:
    """Render page `number` (from 1) of `count`; `href` gives the address of a page number."""
    title = f"MLS NEXT {page.league} schedule"
    next_number = number + 1 if number < count else number if last_to_itself else None
    as_of = f"As of {_eastern(moment)}. All times US Eastern. Page {number} of {count}."
    body = [
        f'<h1 data-league="{escape(page.league)}">{escape(title)}</h1>',
        f'<p class="as-of">{escape(as_of)}</p>',
        '<div class="schedule">',
        _HEAD,
        *(_twice(row) for row in page.rows),
        "</div>",
        "" if page.rows else '<p class="empty">No matches in this list.</p>',
        _pagination(number, count, next_number, href),
    ]
    return _document(title, "\n".join(body))


def index(seed: int, matches: int, glances: Sequence[IndexLine]) -> str:
    """Render the first page for people: what this site is, and moments to look at."""
    names = [name for name, _ in glances[0].counts] if glances else []
    heads = "".join(f"<th>{escape(name)}</th>" for name in names)
    lines = "".join(
        f'<tr><td><a href="{escape(line.path)}">{escape(_eastern(line.moment))}</a></td>'
        + "".join(f"<td>{count}</td>" for _, count in line.counts)
        + f'<td><a href="{escape(line.path)}?league=Homegrown">Homegrown</a> '
        f'<a href="{escape(line.path)}?league=Academy">Academy</a></td></tr>'
        for line in glances
    )
    body = f"""<h1>An invented league</h1>
<p>Season {seed}: {matches} matches. Clubs are real; all matches, results and venues are invented.
The site can be seen as of any moment: <code>/at/&lt;ISO time with its offset&gt;/schedule</code>,
with <code>?league=Homegrown</code> or <code>Academy</code>, and <code>page=</code>. Some moments to
begin with, and where the matches then stand:</p>
<div class="wide"><table><thead><tr><th>As of</th>{heads}<th>League</th></tr></thead>
<tbody>{lines}</tbody></table></div>"""
    return _document("An invented league", body)


_HEAD = """<div class="head hidden-xs"><span>Match</span><span>Details</span><span>Age</span>\
<span>Competition</span><span class="teams">Home, score, away</span></div>"""


def _twice(row: Row) -> str:
    """A row for wide screens and its twin for narrow ones; the style shows one of them."""
    cells = _cells(row)
    return "\n".join(
        f'<div class="row table-content-row {width}">{cells}</div>'
        for width in ("hidden-xs", "visible-xs")
    )


def _cells(row: Row) -> str:
    place = "" if row.venue is None else f'<p data-title="Location">{escape(row.venue)}</p>'
    score = f'<span class="score-match-table">{escape(row.score)}</span>'
    return f"""
<div class="col-sm-1 pull-left">{escape(row.match_id)}</div>
<div class="col-sm-2 pull-left">{escape(row.kickoff)}<br>{place}</div>
<div class="col-sm-1 pull-left">{escape(row.age_group)}</div>
<div class="col-sm-2 pull-left">{escape(row.match_type)}<br><p>{escape(row.division)}</p></div>
<div class="col-sm-6 pull-left"><div class="row">
<div class="col-sm-5 container-first-team">{_team(row.home)}</div>
<div class="col-sm-2 container-score">{score}</div>
<div class="col-sm-5 container-second-team">{_team(row.away)}</div></div></div>"""


def _team(name: str) -> str:
    return f'<p data-title="{escape(name)}">{escape(name)}</p>'


def _pagination(
    number: int, count: int, next_number: int | None, href: Callable[[int], str]
) -> str:
    near = range(max(1, number - _PAGES_AROUND), min(count, number + _PAGES_AROUND) + 1)
    items = [_turn("Prev", number - 1 if number > 1 else None, href)]
    for page_number in sorted({1, *near, count}):
        mark = ' class="active"' if page_number == number else ""
        items.append(f'<li{mark}><a href="{escape(href(page_number))}">{page_number}</a></li>')
    items.append(_turn("Next", next_number, href))
    return f'<ul class="pagination">{"".join(items)}</ul>'


def _turn(word: str, to: int | None, href: Callable[[int], str]) -> str:
    if to is None:
        return f'<li class="disabled"><a>{word}</a></li>'
    return f'<li><a href="{escape(href(to))}" rel="{word.lower()}">{word}</a></li>'


def _eastern(moment: datetime) -> str:
    """A moment for people, in words that no locale changes."""
    local = moment.astimezone(LEAGUE_TIME)
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[local.weekday()]
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    return f"{day} {local:%Y-%m-%d} {clock} {local.tzname()}"


def _document(title: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
