"""An HTTP adapter for `requests` whose answers are bounded in time and in size.

`requests` bounds only the wait for each piece of an answer: one that comes slowly, or never ends,
blocks its reader for ever. Here the body must arrive within a deadline, and below a size.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import requests
from requests.adapters import HTTPAdapter

_PIECE_BYTES = 65_536


class TooMuch(requests.RequestException):
    """The answer is larger than allowed, or was not complete in time."""


class Bounded(HTTPAdapter):
    """Sends once, without a retry, and reads no more than its limits allow."""

    def __init__(self, *, connect_s: float, read_s: float, total_s: float, bytes_max: int) -> None:
        """Prepare.

        Args:
            connect_s: for the connection.
            read_s: for the first byte, and between two pieces.
            total_s: for the whole answer, from the request on.
            bytes_max: size of the answer, unpacked.
        """
        super().__init__(max_retries=0)
        self._timeout = (connect_s, read_s)
        self._total_s = total_s
        self._bytes_max = bytes_max

    def send(self, request: Any, *args: Any, **options: Any) -> Any:
        """Send a request, as `requests` calls it; the caller's own time-out is replaced."""
        deadline = time.monotonic() + self._total_s
        options["timeout"] = self._timeout
        response = super().send(request, *args, **options)
        response.raw = _Reader(response.raw, deadline, self._total_s, self._bytes_max)
        return response


class _Reader:
    """The object from which `requests` reads a body: urllib3's response, with bounds."""

    def __init__(self, raw: Any, deadline: float, total_s: float, bytes_max: int) -> None:
        self._raw = raw
        self._deadline = deadline
        self._total_s = total_s
        self._bytes_max = bytes_max

    def stream(self, _chunk: int, decode_content: bool = True) -> Iterator[bytes]:
        """The body in pieces, each as soon as it arrives."""
        size = 0
        while piece := self._raw.read1(_PIECE_BYTES, decode_content=decode_content):
            size += len(piece)
            if size > self._bytes_max:
                self._raw.close()
                raise TooMuch(f"the answer is larger than {self._bytes_max} bytes")
            yield piece
            if time.monotonic() > self._deadline:
                self._raw.close()
                raise TooMuch(f"the answer was not complete within {self._total_s:g} s")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
