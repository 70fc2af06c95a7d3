"""Something that answers HTTP requests in the place of the server they are for.

A proxy that is set up wrongly, overloaded, or stuck does so; the server hears of no such request.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from enum import StrEnum
from typing import Any

from system.contract.submission import BODY_BYTES_MAX, Effect, Outcome

RETRY_AFTER_S = 1
_JSON, _HTML = "application/json", "text/html; charset=utf-8"
_ERROR = {"error": {"code": "internal", "message": "something went wrong"}}
_BUSY = {"error": {"code": "too_many_requests", "message": "come back later"}}
_NO_ROUTE = b"<!doctype html><title>404 Not Found</title>\n"
_PAGE = b"<!doctype html><title>Maintenance</title><p>We are back in a moment.</p>\n"


class Answer(StrEnum):
    """What a request is answered with. Nothing of it is ever stored.

    ERROR     status 500, as an API that fails
    BUSY      status 429, with Retry-After
    NOTHING   it is read, and never answered
    MISSING   status 404 and a page in HTML, as a proxy's that has lost its route
    PAGE      status 200 and a page in HTML, as a proxy's
    EMPTY     status 200 and JSON that says nothing
    OTHERS    status 200 and outcomes of other messages, as a cache may give
    LIE       status 200 and what the API would say, had it stored everything
    """

    ERROR = "error"
    BUSY = "busy"
    NOTHING = "nothing"
    MISSING = "missing"
    PAGE = "page"
    EMPTY = "empty"
    OTHERS = "others"
    LIE = "lie"


def respond(how: Answer, body: bytes) -> bytes:
    """The response to a request with this body; empty for NOTHING. Pure."""
    match how:
        case Answer.ERROR:
            return _response("500 Internal Server Error", _JSON, json.dumps(_ERROR).encode())
        case Answer.BUSY:
            wait = f"Retry-After: {RETRY_AFTER_S}\r\n"
            return _response("429 Too Many Requests", _JSON, json.dumps(_BUSY).encode(), wait)
        case Answer.NOTHING:
            return b""
        case Answer.MISSING:
            return _response("404 Not Found", _HTML, _NO_ROUTE)
        case Answer.PAGE:
            return _response("200 OK", _HTML, _PAGE)
        case Answer.EMPTY:
            return _response("200 OK", _JSON, b"{}")
        case Answer.OTHERS:
            return _stored([f"other-{number}" for number, _ in enumerate(_ids(body))])
        case Answer.LIE:
            return _stored(_ids(body))


async def serve(how: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection until its caller ends it."""
    with suppress(OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(_length(head))
            if response := respond(how, body):
                writer.write(response)
                await writer.drain()


def _length(head: bytes) -> int:
    """The length of a request's body.

    Raises:
        ValueError: its head does not say it, or more than a request to the API may have.
    """
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
            if not 0 <= length <= BODY_BYTES_MAX:
                raise ValueError(f"{length} bytes are too much for a request")
            return length
    return 0


def _ids(body: bytes) -> list[str]:
    """The ids of the messages that a request submits; none if it submits nothing."""
    try:
        submitted: Any = json.loads(body)
        return [str(each["message_id"]) for each in submitted]
    except (ValueError, KeyError, TypeError):
        return []


def _stored(ids: list[str]) -> bytes:
    outcomes = [Outcome(message_id=each, effect=Effect.CREATED, match_id=1) for each in ids]
    content = {"outcomes": [each.model_dump(mode="json") for each in outcomes]}
    return _response("200 OK", _JSON, json.dumps(content).encode())


def _response(status: str, kind: str, content: bytes, more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n{more}"
    return f"{head}\r\n".encode() + content
