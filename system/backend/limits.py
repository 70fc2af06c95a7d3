"""Read a request's body: bounded, JSON, with an error that says what is wrong with it."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from system.backend.errors import ApiError
from system.contract.submission import BODY_BYTES_MAX


async def read_json(request: Request) -> Any:
    """Return the decoded body; at most BODY_BYTES_MAX of it are ever held.

    Raises:
        ApiError: 415 not declared as JSON, 413 too large, 400 not valid JSON.
    """
    _require_json(request)
    body = await _read_body(request)
    try:
        return json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise _malformed("it is nested too deeply") from None
    except ValueError as error:  # also UnicodeDecodeError, and integers of thousands of digits
        raise _malformed(str(error)) from None


def _require_json(request: Request) -> None:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "not_json",
            "Send JSON, with `Content-Type: application/json`.",
        )
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ApiError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "compressed", "Send the body uncompressed."
        )


async def _read_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > BODY_BYTES_MAX:
        raise _too_large()
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY_BYTES_MAX:
                raise _too_large()
    except ClientDisconnect:
        raise ApiError(HTTPStatus.BAD_REQUEST, "incomplete", "The body ended too early.") from None
    return bytes(body)


def _too_large() -> ApiError:
    return ApiError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"A request may have {BODY_BYTES_MAX} bytes at most. Send fewer matches at once.",
        headers={"Connection": "close"},
    )


def _malformed(why: str) -> ApiError:
    return ApiError(
        HTTPStatus.BAD_REQUEST,
        "malformed_json",
        "The body is not JSON.",
        details=[why.encode("ascii", "backslashreplace").decode()[:200]],
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
