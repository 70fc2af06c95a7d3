"""The backend seen from outside, as by any client: receipts and stored matches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import urllib3

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
        """Receipts that became visible after the cursor `after`, and the next cursor."""
        answer = self.get("/api/receipts", {"limit": "2000", **({"after": after} if after else {})})
        receipts = [Receipt.model_validate(each) for each in answer["receipts"]]
        return receipts, str(answer["next"] or after)

    def matches(self) -> Iterator[Mapping[str, Any]]:
        """Every stored match, as the API returns it."""
        cursor = ""
        while True:
            query = {"limit": "1000", **({"cursor": cursor} if cursor else {})}
            answer = self.get("/api/matches", query)
            yield from answer["matches"]
            cursor = answer.get("next") or ""
            if not cursor:
                return

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        """GET `path` and return its JSON.

        Raises:
            BackendSilent: no answer within the time-outs, a status other than 200, or no JSON.
        """
        url = self._url + path
        try:
            response = self._pool.request(
                "GET", url, fields=dict(query or {}), preload_content=False
            )
            try:
                content = response.read(ANSWER_BYTES_MAX)
            finally:
                response.release_conn()
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
