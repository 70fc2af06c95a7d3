"""An HTTP adapter for `requests` whose answers are bounded in time and in size.

`requests` bounds only the wait for each piece of an answer: one that comes slowly, or never ends,
blocks its reader for ever. Here the body must arrive within a deadline, and below a size.
"""

from __future__ import annotations

import time
from io import BytesIO
from typing import Any

import requests
import urllib3
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
        try:
            response.raw = BytesIO(self._read(response.raw, deadline))
        except urllib3.exceptions.HTTPError as error:
            raise requests.ConnectionError(error) from error
        return response

    def _read(self, raw: urllib3.HTTPResponse, deadline: float) -> bytes:
        body = bytearray()
        while piece := raw.read1(_PIECE_BYTES, decode_content=True):  # as soon as it arrives
            body += piece
            if len(body) > self._bytes_max:
                raw.close()
                raise TooMuch(f"the answer is larger than {self._bytes_max} bytes")
            if time.monotonic() > deadline:
                raw.close()
                raise TooMuch(f"the answer was not complete within {self._total_s:g} s")
        return bytes(body)
