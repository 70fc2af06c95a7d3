"""The backend seen from outside, as by any client: receipts and stored matches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import urllib3
from pydantic import ValidationError

from lab.errors import LabError
from system.contract.submission import Receipt

ANSWER_BYTES_MAX = 16 * 1024 * 1024


class BackendSilent(LabError):  # noqa: N818
    """The backend did not answer, or not as its API promises."""


class Backend:
    """Reads from the backend's API.

    Args:
        url: `http://host:port`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=3, read=10), retries=False, maxsize=4
        )

    def receipts(self, after: str = "") -> tuple[list[Receipt], str]:
        """Receipts that became visible after the cursor `after`, and the next cursor.

        Raises:
            BackendSilent: as `get` does; also if these are no receipts, or their cursor does not
                go on.
        """
        answer = self.get("/api/receipts", {"limit": "2000", **({"after": after} if after else {})})
        try:
            receipts = [Receipt.model_validate(receipt) for receipt in answer["receipts"]]
            following = str(answer["next"] or after)
        except (KeyError, TypeError, ValidationError) as error:
            raise self._not_as_promised("/api/receipts", error) from error
        if receipts and following == after:
            raise self._not_as_promised("/api/receipts", f"after {after!r} comes {after!r} again")
        return receipts, following

    def matches(self) -> Iterator[Mapping[str, Any]]:
        """Every stored match, as the API returns it.

        Raises:
            BackendSilent: as `get` does; also if these are no matches, or their cursor does not
                go on.
        """
        cursor = ""
        while True:
            query = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
            answer = self.get("/api/matches", query)
            found, following = answer.get("matches"), str(answer.get("next") or "")
            if not isinstance(found, list) or not all(_is_match(match) for match in found):
                raise self._not_as_promised("/api/matches", "no list of matches")
            yield from found
            if not following:
                return
            if following == cursor:
                raise self._not_as_promised("/api/matches", f"after {cursor!r} it comes again")
            cursor = following

    def table(self, season: str, age_group: str, league: str, division: str) -> list[str]:
        """The teams of a league table, best first.

        Raises:
            BackendSilent: as `get` does; also if it has no rows of teams.
        """
        group = {"season": season, "age_group": age_group, "league": league, "division": division}
        rows = self.get("/api/table", group).get("rows")
        try:
            return [str(row["team"]) for row in rows or ()]
        except (KeyError, TypeError) as error:
            raise self._not_as_promised("/api/table", error) from error

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """GET `path` and return its JSON.

        Raises:
            BackendSilent: no answer within the time-outs, a status other than 200, or no JSON.
        """
        url = self._url + path
        try:
            with self._pool.request(
                "GET", url, fields=dict(query or {}), preload_content=False
            ) as response:
                content = response.read(ANSWER_BYTES_MAX)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise BackendSilent(f"{url}: {error}") from error
        if response.status != 200:
            raise BackendSilent(f"{url} answered {response.status}: {content[:200]!r}")
        try:
            answer = json.loads(content)
        except ValueError as error:
            raise BackendSilent(f"{url} answered no JSON: {content[:200]!r}") from error
        if not isinstance(answer, dict):
            raise BackendSilent(f"{url} answered {content[:200]!r}, not an object")
        return answer

    def _not_as_promised(self, path: str, why: object) -> BackendSilent:
        return BackendSilent(f"{self._url}{path} did not answer as it promises: {why}")


def _is_match(shown: Any) -> bool:
    return isinstance(shown, dict) and isinstance(shown.get("identity"), str)
