"""The backend's HTTP client: posts messages, and reports whether a failure is worth a retry."""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import urllib3

from system.contract.submission import Outcome, Submission
from system.errors import ApiUnavailable, Refused, SettingsError, abbreviate

CONNECT_S, READ_S = 3.0, 10.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024


class BackendClient:
    """A pooled client; use as a context manager, or `close` it.

    Args:
        url: http(s)://host:port of the backend.
        token: the bearer token that writing needs.
        trust: what an https:// url trusts; see `system.tls`.

    Raises:
        SettingsError: `url` is not an http(s) address.
    """

    def __init__(self, url: str, token: str, trust: ssl.SSLContext | None = None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise SettingsError(f"the backend's address must begin with http:// or https://: {url}")
        self._url = url.rstrip("/") + "/api/matches"
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._pool = urllib3.PoolManager(
            maxsize=4,
            timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
            retries=False,  # the caller decides about retries
            ssl_context=trust,
        )

    def __enter__(self) -> BackendClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._pool.clear()

    def post(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Post up to BATCH_MAX messages; an outcome for each, in order (INVALID among them).

        Raises:
            ApiUnavailable: not reached, timed out, or answered 429 or 5xx; the messages may have
                taken effect, and posting them again is safe.
            Refused: the backend understood the request and refused it (a wrong token, say).
        """
        body = json.dumps(
            [submission.model_dump(mode="json") for submission in submissions]
        ).encode()
        answer = self._post(body)
        outcomes = answer.get("outcomes") if isinstance(answer, dict) else None
        if not isinstance(outcomes, list) or len(outcomes) != len(submissions):
            raise ApiUnavailable(f"{self._url} gave an unexpected answer: {abbreviate(answer)}")
        return [Outcome.model_validate(outcome) for outcome in outcomes]

    def _post(self, body: bytes) -> Any:
        try:
            response = self._pool.request(
                "POST", self._url, body=body, headers=self._headers, preload_content=False
            )
            try:
                content = response.read(ANSWER_BYTES_MAX)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiUnavailable(f"{self._url}: {error}") from error
        if response.status == 429 or response.status >= 500:
            raise ApiUnavailable(f"{self._url} answered {response.status}: {abbreviate(content)}")
        if response.status >= 400:
            raise Refused(f"{self._url} answered {response.status}: {abbreviate(content)}")
        try:
            return json.loads(content)
        except ValueError as error:
            raise ApiUnavailable(f"{self._url} answered no JSON: {abbreviate(content)}") from error
