"""The backend's HTTP client: posts messages, and reports whether a failure is worth a retry.

The token, and what TLS trusts, are looked up for each request, so both may change while it is open.
A token that was refused is not sent again before a growing pause is over, or another one is there.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3
from pydantic import SecretStr, TypeAdapter, ValidationError

from system.contract.submission import Outcome, Submission
from system.errors import (
    ApiFailed,
    ApiUnavailable,
    LoginRefused,
    NotTheBackend,
    Refused,
    SettingsError,
    abbreviate,
)
from system.login import Login
from system.secret_files import as_secret, lines_of
from system.tls import Trust

_SUBMISSIONS = TypeAdapter(list[Submission])
_OUTCOMES = TypeAdapter(list[Outcome])

CONNECT_S, READ_S = 3.0, 10.0
ANSWER_BYTES_MAX = 4 * 1024 * 1024
_ABOUT_THE_WAY = (404, 405, 413)
"""A proxy that has lost its route, another server, a proxy with a smaller limit: they answer so to
every match. What else something in between refuses may well be about the one match."""
TOKEN_WRONG = "token_wrong"  # noqa: S105 - the backend's word for it


class BackendClient:
    """A pooled client; use as a context manager, or `close` it.

    Args:
        url: http(s)://host:port of the backend.
        token: the bearer token that writing needs; of several lines the first is sent.
        trust: what an https:// url trusts; see `system.tls`.

    Raises:
        SettingsError: `url` is not an http(s) address.
    """

    def __init__(self, url: str, token: str | SecretStr, trust: Trust | None = None) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise SettingsError(f"MISSING_TABLE_API_URL must begin with http:// or https://: {url}")
        self._url = url.rstrip("/") + "/api/matches"
        self._token = as_secret(token)
        self._login = Login(self._token)
        self._last_refusal = ""
        self._trust = trust if self._url.startswith("https:") else None
        self._trusted = self._trust() if self._trust else None
        self._pool = _pool(self._trusted)

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
            ApiFailed: answered 500.
            ApiUnavailable: not reached, timed out, or answered 408, 429 or 5xx, or anything but
                the outcomes of these messages; they may have taken effect, and posting them again
                is safe.
            NotTheBackend: answered 404, 405 or 413 by something else, such as a proxy without a
                route.
            LoginRefused: the backend does not accept the token; nothing took effect.
            Refused: the backend understood the request and refused it (a wrong address, say), or
                something in between did.
        """
        answer = self._post(_SUBMISSIONS.dump_json(list(submissions)))
        try:
            outcomes = _OUTCOMES.validate_python(answer.get("outcomes"))
        except (ValidationError, AttributeError) as error:
            raise ApiUnavailable(
                f"{self._url} gave an unexpected answer: {abbreviate(answer)}"
            ) from error
        # Something in between may have kept an answer to another request.
        if [each.message_id for each in outcomes] != [each.message_id for each in submissions]:
            raise ApiUnavailable(f"{self._url} answered for other messages: {abbreviate(answer)}")
        return outcomes

    def _post(self, body: bytes) -> Any:
        if (wait := self._login.wait_s()) > 0:
            raise LoginRefused(f"{self._last_refusal}; not tried again for {wait:.0f} s")
        secret = self._token.get_secret_value()
        token = next(iter(lines_of(self._token)), "")
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        try:
            response = self._newest_pool().request(
                "POST", self._url, body=body, headers=headers, preload_content=False
            )
            try:
                content = response.read(ANSWER_BYTES_MAX)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiUnavailable(f"{self._url}: {error}") from error
        if _is_about_the_token(response.status, content):
            self._last_refusal = (
                f"{self._url} answered {response.status} to the token of MISSING_TABLE_API_TOKEN;"
                f" give it one that the backend accepts: {abbreviate(content)}"
            )
            self._login.refused(secret)
            raise LoginRefused(self._last_refusal)
        self._login.accepted()
        if response.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            raise ApiFailed(f"{self._url} answered 500: {abbreviate(content)}")
        if response.status in (408, 429) or response.status >= 500:
            raise ApiUnavailable(f"{self._url} answered {response.status}: {abbreviate(content)}")
        if response.status in _ABOUT_THE_WAY and not _error_code(content):
            raise NotTheBackend(
                f"{self._url} answered {response.status}, not as the backend does:"
                f" {abbreviate(content)}"
            )
        if response.status >= 400:
            raise Refused(f"{self._url} answered {response.status}: {abbreviate(content)}")
        try:
            return json.loads(content)
        except ValueError as error:
            raise ApiUnavailable(f"{self._url} answered no JSON: {abbreviate(content)}") from error

    def _newest_pool(self) -> urllib3.PoolManager:
        """The connections; new ones if what they trust has changed."""
        if self._trust is not None and (now := self._trust()) is not self._trusted:
            self._pool.clear()
            self._trusted, self._pool = now, _pool(now)
        return self._pool


def _is_about_the_token(status: int, content: bytes) -> bool:
    """Not every 403 is: something in between may refuse one request for what is in it."""
    if status != HTTPStatus.FORBIDDEN:
        return status == HTTPStatus.UNAUTHORIZED
    return _error_code(content) == TOKEN_WRONG


def _error_code(content: bytes) -> str:
    """The backend's word for an error, see `system.backend.errors`; empty if this is none."""
    try:
        code = json.loads(content)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        return ""
    return code if isinstance(code, str) else ""


def _pool(trusted: ssl.SSLContext | None) -> urllib3.PoolManager:
    return urllib3.PoolManager(
        maxsize=4,
        timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
        retries=False,  # the caller decides about retries
        ssl_context=trusted,
    )
