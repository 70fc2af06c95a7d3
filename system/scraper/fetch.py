"""Fetching one page over HTTP: bounded in time, size, tries and redirects. Trusts no site."""

from __future__ import annotations

import time
from dataclasses import dataclass

import stamina
import urllib3

from system.errors import ScheduleError
from system.scraper.address import check_address, join, place, same_site

BYTES_MAX = 5 * 1024 * 1024
"""A page of 20 rows is some 30 KiB."""

REDIRECTS_MAX = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_AGENT = "missing-table-scraper (reads league schedules)"


@dataclass(frozen=True, slots=True)
class Patience:
    """The limits of fetching a page, in seconds unless named otherwise.

    Attributes:
        connect_s: until the connection is made.
        read_s: between two pieces of the answer.
        whole_s: for one whole answer, however slowly it comes.
        tries: requests for one page at most.
        pause_first_s: before the second try; doubles with each try, jittered.
    """

    connect_s: float = 3.0
    read_s: float = 10.0
    whole_s: float = 30.0
    tries: int = 4
    pause_first_s: float = 0.5


class _TransientError(Exception):
    """A failure that another try may not meet."""


class Fetcher:
    """Fetches pages of http(s) addresses. Use as a context manager."""

    def __init__(self, patience: Patience | None = None, bytes_max: int = BYTES_MAX) -> None:
        self._patience = patience or Patience()
        self._bytes_max = bytes_max
        self._pool = urllib3.PoolManager(
            maxsize=2,
            headers={"User-Agent": _AGENT, "Accept": "text/html", "Accept-Encoding": "gzip"},
            timeout=urllib3.Timeout(connect=self._patience.connect_s, read=self._patience.read_s),
            retries=False,  # both are done here, where they can be bounded
        )

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._pool.clear()

    def fetch(self, url: str) -> str:
        """Return the page at `url` as text, whatever its bytes are.

        Raises:
            ScheduleError: not http(s), not reached, an answer other than 200, a redirect to
                another host, too large, or too slow; names the address.
        """
        check_address(url)
        patience = self._patience
        try:
            for attempt in stamina.retry_context(
                on=_TransientError,
                attempts=patience.tries,
                timeout=None,
                wait_initial=patience.pause_first_s,
                wait_jitter=patience.pause_first_s,
            ):
                with attempt:
                    return self._follow(url)
        except _TransientError as error:
            raise ScheduleError(
                f"{url}: {error}; tried {patience.tries} times, try again later"
            ) from error
        raise AssertionError("stamina either returns or raises")

    def _follow(self, url: str) -> str:
        at = url
        for _ in range(REDIRECTS_MAX + 1):
            target, page = self._get(at)
            if page is not None:
                return page
            if not same_site(url, target):
                raise ScheduleError(
                    f"{url}: redirects to another site ({place(target)}); if that is where the"
                    " schedule lives now, give its address"
                )
            at = target
        raise ScheduleError(f"{url}: redirects more than {REDIRECTS_MAX} times")

    def _get(self, url: str) -> tuple[str, str | None]:
        """One request: the page, or the address that it redirects to."""
        deadline = time.monotonic() + self._patience.whole_s
        try:
            response = self._pool.request("GET", url, preload_content=False, redirect=False)
            done = False
            try:
                if response.status == 200:
                    body = self._read(response, url, deadline)
                    done = True
                    return url, decode(body, response.headers.get("Content-Type", ""))
            finally:
                if done:
                    response.release_conn()
                else:
                    response.close()  # the rest of an answer that is not wanted is not read
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _TransientError(f"cannot be fetched ({error})") from error
        target = response.headers.get("Location")
        if response.status in _REDIRECTS and target:
            return join(url, target), None
        if response.status in _TRY_AGAIN:
            raise _TransientError(f"answered {response.status}")
        raise ScheduleError(f"{url}: answered {response.status}, not a page")

    def _read(self, response: urllib3.BaseHTTPResponse, url: str, deadline: float) -> bytes:
        """The whole body. `read1` gives what has arrived, so a slow body meets the deadline."""
        body = bytearray()
        while piece := response.read1(65536):
            body += piece
            if len(body) > self._bytes_max:
                raise ScheduleError(
                    f"{url}: larger than {self._bytes_max} bytes, which no schedule page is"
                )
            if time.monotonic() > deadline:
                raise _TransientError(f"did not arrive within {self._patience.whole_s:g} s")
        return bytes(body)


def decode(body: bytes, content_type: str = "") -> str:
    """Return bytes as text and never fail: UTF-8, else as declared, else Windows-1252."""
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        declared = content_type.partition("charset=")[2].partition(";")[0].strip(" \"'")
        try:
            return body.decode(declared or "cp1252", "replace")
        except (LookupError, ValueError):  # unknown, or no character set at all (rot13, say)
            return body.decode("cp1252", "replace")
