"""The answers of the league site: routing and checks, without a socket.

`Views.answer` computes an answer from the season; the pages of the last few moments are cached.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from http import HTTPStatus
from threading import Lock
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from lab.workload.league import pages
from lab.workload.league.clubs import LEAGUES
from lab.workload.league.listing import Listing, listing
from lab.workload.league.season import Season
from system.contract.match import Status

PAGE_SIZE_USUAL = 20
MOMENTS_KEPT = 4
MOMENTS_ON_INDEX = 12
ADDRESS_MAX = 500  # characters
_YEARS = range(2000, 2100)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, type and text of the body; `slow` if the page delay applies."""

    status: HTTPStatus
    kind: str
    body: str
    slow: bool = False


class _BadRequestError(ValueError):
    """An address that is wrong; the text says how to correct it."""


class Views:
    """Answers for one season. Safe to use from many threads."""

    def __init__(self, season: Season, page_size: int = PAGE_SIZE_USUAL) -> None:
        self._season = season
        self._page_size = page_size
        self._one_at_a_time = Lock()
        self._listing = lru_cache(maxsize=MOMENTS_KEPT)(self._compute_listing)
        self._index = lru_cache(maxsize=1)(self._compute_index)

    def answer(self, address: str) -> Answer:
        """Answer a GET of `address`, the undecoded path and query of a URL."""
        if len(address) > ADDRESS_MAX:
            return _text(HTTPStatus.REQUEST_URI_TOO_LONG, f"at most {ADDRESS_MAX} characters")
        parts = urlsplit(address)
        match unquote(parts.path).split("/"):
            case ["", ""]:
                with self._one_at_a_time:
                    return _html(self._index())
            case ["", "healthz"]:
                return self._health()
            case ["", "at", text, "schedule"]:
                try:
                    return self._schedule(_moment(text), parts.path, parts.query)
                except _BadRequestError as error:
                    return _text(HTTPStatus.BAD_REQUEST, str(error))
        return _text(HTTPStatus.NOT_FOUND, "no such page; / lists what there is")

    def _schedule(self, moment: datetime, path: str, query: str) -> Answer:
        league, number = _parameters(query)
        with self._one_at_a_time:  # or many requests would compute one moment at once
            now = self._listing(moment)
        of_league = now.of(league)
        if number > len(of_league):
            raise _BadRequestError(f"page={number}: this list has pages 1 to {len(of_league)}")

        def href(to: int) -> str:
            return f"{path}?{urlencode(({'league': league} if league else {}) | {'page': to})}"

        page = pages.schedule(
            of_league[number - 1],
            number,
            len(of_league),
            moment,
            href,
            last_to_itself=now.last_to_itself,
        )
        return _html(page, slow=True)

    def _compute_listing(self, moment: datetime) -> Listing:
        rows = self._season.rows_at(moment)
        return listing(rows, self._page_size, self._season.seed, moment)

    def _compute_index(self) -> str:
        glances = []
        for moment in self._season.moments(MOMENTS_ON_INDEX):
            counts = Counter(match.match_status for match in self._season.truth_at(moment).values())
            listed = [(status.value, counts[status]) for status in Status if status != Status.LIVE]
            listed.append(("unreadable", self._season.unreadable_at(moment)))
            glances.append(pages.IndexLine(moment, schedule_path(moment), tuple(listed)))
        return pages.index(self._season.seed, len(self._season.stories), glances)

    def _health(self) -> Answer:
        health = {
            "status": "ok",
            "seed": self._season.seed,
            "matches": len(self._season.stories),
        }
        return Answer(HTTPStatus.OK, "application/json", json.dumps(health) + "\n")


def schedule_path(moment: datetime) -> str:
    """The path of the schedule as of `moment`; add `?league=` or `?page=` as needed."""
    name = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return f"/at/{quote(name, safe=':')}/schedule"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _BadRequestError(f"{text!r} is no ISO 8601 time like 2025-10-19T21:00:00Z") from None
    if moment.tzinfo is None:
        raise _BadRequestError(f"{text!r} needs its offset from UTC, like Z or -04:00")
    if moment.year not in _YEARS:
        raise _BadRequestError(f"{text!r} is not within {_YEARS[0]} to {_YEARS[-1]}")
    return moment.astimezone(UTC)


def _parameters(query: str) -> tuple[str | None, int]:
    pairs = parse_qsl(query, keep_blank_values=True)
    given = dict(pairs)
    unknown = sorted(given.keys() - {"league", "page"})
    if unknown or len(given) < len(pairs):
        raise _BadRequestError("parameters are league and page, each once")
    league = given.get("league")
    if league is not None and league not in LEAGUES:
        raise _BadRequestError(f"league={league!r}: there are {' and '.join(LEAGUES)}")
    page = given.get("page", "1")
    if not (page.isascii() and page.isdigit() and 1 <= len(page) <= 6 and int(page) >= 1):
        raise _BadRequestError(f"page={page!r} must be a whole number from 1")
    return league, int(page)


def _html(body: str, *, slow: bool = False) -> Answer:
    return Answer(HTTPStatus.OK, "text/html; charset=utf-8", body, slow)


def _text(status: HTTPStatus, why: str) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", f"{status.value} {status.phrase}: {why}\n")
