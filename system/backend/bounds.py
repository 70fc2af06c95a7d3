"""What the server takes of a connection, and what it answers where that is exceeded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from starlette.responses import JSONResponse

from system.backend.errors import error_body


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one server takes.

    Attributes:
        head_bytes: of the address and the header fields of a request.
        head_fields: header fields of a request.
        head_s: time from the first byte of a head to its end; also from connecting to its end.
        body_s: time from the end of the head to the end of the body; also how long an answer waits
            for a client that does not read it.
        connections: connections at a time; each has one request at a time.
    """

    head_bytes: int
    head_fields: int
    head_s: float
    body_s: float
    connections: int


class Refusal(StrEnum):
    """Why the server ended a connection.

    HEAD_TOO_LARGE    the head has too many bytes or header fields
    HEAD_TOO_SLOW     the head took too long
    BODY_TOO_LARGE    the body has too many bytes, most of them no content
    BODY_TOO_SLOW     the body took too long
    MALFORMED         it is no HTTP
    ANSWER_NOT_READ   the client does not read the answer
    CROWDED_OUT       it had no request in hand when a newcomer needed its place
    """

    HEAD_TOO_LARGE = "head_too_large"
    HEAD_TOO_SLOW = "head_too_slow"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    MALFORMED = "malformed"
    ANSWER_NOT_READ = "answer_not_read"
    CROWDED_OUT = "crowded_out"


def _answer(status: HTTPStatus, why: Refusal, message: str) -> bytes:
    response = JSONResponse(error_body(why, message), status, {"Connection": "close"})
    status_line = f"HTTP/1.1 {status} {status.phrase}\r\n".encode()
    fields = b"".join(b"%s: %s\r\n" % field for field in response.raw_headers)
    return status_line + fields + b"\r\n" + bytes(response.body)


ANSWERS: Mapping[Refusal, bytes] = {
    why: _answer(status, why, message)
    for why, status, message in (
        (
            Refusal.HEAD_TOO_LARGE,
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "The address and the header fields are too long or too many. Send fewer.",
        ),
        (
            Refusal.HEAD_TOO_SLOW,
            HTTPStatus.REQUEST_TIMEOUT,
            "The head of the request did not come in time. Send the request again.",
        ),
        (
            Refusal.BODY_TOO_LARGE,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "The body of the request is too large. Send fewer matches at once.",
        ),
        (
            Refusal.BODY_TOO_SLOW,
            HTTPStatus.REQUEST_TIMEOUT,
            "The body of the request did not come in time. Send the request again.",
        ),
        (Refusal.MALFORMED, HTTPStatus.BAD_REQUEST, "This is not a valid HTTP request."),
    )
}
"""The whole answer to each refusal that can still be answered; it ends the connection."""
