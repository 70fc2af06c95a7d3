"""RabbitMQ's management API: reads what a broker holds, and changes it."""

from __future__ import annotations

import json
import ssl
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from system.errors import BrokerUnavailable, Refused, SettingsError, abbreviate

CONNECT_S, READ_S = 3.0, 10.0
ANSWER_BYTES_MAX = 64 * 1024 * 1024


class ManagementClient:
    """A client for one broker; use as a context manager, or `close` it.

    Args:
        url: http(s)://user:password@host:port
        trust: what an https:// url trusts; see `system.tls`.

    Raises:
        SettingsError: `url` is no such address.
    """

    def __init__(self, url: str, trust: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.username:
            raise SettingsError(
                "MISSING_TABLE_MANAGEMENT_URL must be like http://user:password@host:15672"
            )
        # The rest of the address goes into error messages, so it must be without the password.
        self._url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/api"
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        self._pool = urllib3.PoolManager(
            headers=urllib3.make_headers(basic_auth=login),
            timeout=urllib3.Timeout(connect=CONNECT_S, read=READ_S),
            retries=False,
            ssl_context=trust,
        )

    def __enter__(self) -> ManagementClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._pool.clear()

    def rows(self, path: str) -> list[dict[str, Any]]:
        """GET a list of objects from `path`, below `/api/`.

        Raises:
            BrokerUnavailable: not reached, no answer in time, or none that can be read.
            Refused: wrong password, missing rights, or no such thing.
        """
        content = self._call("GET", path)
        try:
            found = json.loads(content)
        except ValueError as error:
            raise BrokerUnavailable(f"{self._url}/{path} answered no JSON: {error}") from error
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise BrokerUnavailable(f"{self._url}/{path} answered no list: {abbreviate(found)}")
        return found

    def change(self, method: str, path: str, body: Any) -> None:
        """PUT or POST `body`, as JSON.

        Raises:
            BrokerUnavailable: as `rows` does.
            Refused: as `rows` does.
        """
        self._call(method, path, body)

    def _call(self, method: str, path: str, body: Any = None) -> bytes:
        address = f"{self._url}/{path}"
        try:
            with self._pool.request(
                method,
                address,
                json=body,
                # urllib3 would replace the headers of the pool, and with them the login.
                headers={**self._pool.headers, "Content-Type": "application/json"},
                preload_content=False,
            ) as response:
                content = response.read(ANSWER_BYTES_MAX + 1)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise BrokerUnavailable(f"the broker's management, {address}: {error}") from error
        if len(content) > ANSWER_BYTES_MAX:
            raise BrokerUnavailable(f"{address} answered more than {ANSWER_BYTES_MAX} bytes")
        if response.status >= 500:
            raise BrokerUnavailable(f"{address} answered {response.status}: {abbreviate(content)}")
        if response.status >= 400:
            raise Refused(
                f"{method} {address} answered {response.status}: {abbreviate(content)}"
                + (" (this needs a user with the tag administrator)" * (response.status == 401))
            )
        return content
