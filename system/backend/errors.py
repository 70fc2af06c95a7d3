"""The errors of the API: each is `{"error": {"code", "message", "details"}}`."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from system.errors import DatabaseUnavailable

RETRY_AFTER_S = 1

log = logging.getLogger(__name__)


class ApiError(Exception):
    """A request that is refused.

    Args:
        code: a word for programs, such as `not_found`.
        message: a sentence for people: what is wrong, and what to do.
        details: more, as JSON.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Sequence[Any] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.body = error_body(code, message, details)
        self.headers = dict(headers or {})
        super().__init__(message)


def error_body(code: str, message: str, details: Sequence[Any] = ()) -> dict[str, Any]:
    """Return the one shape of all errors."""
    return {"error": {"code": code, "message": message, "details": list(details)}}


def install(app: FastAPI) -> None:
    """Give every error of `app` this shape."""

    @app.exception_handler(ApiError)
    async def refused(_: Request, error: ApiError) -> JSONResponse:
        return JSONResponse(error.body, error.status, error.headers)

    @app.exception_handler(DatabaseUnavailable)
    async def unavailable(_: Request, error: DatabaseUnavailable) -> JSONResponse:
        log.warning("database unavailable: %s", error)
        return JSONResponse(
            error_body("database_unavailable", f"{error} Try again; nothing is lost."),
            HTTPStatus.SERVICE_UNAVAILABLE,
            {"Retry-After": str(RETRY_AFTER_S)},
        )

    @app.exception_handler(RequestValidationError)
    async def wrong_parameters(_: Request, error: RequestValidationError) -> JSONResponse:
        # The input itself is left out: it may be anything, and the caller knows it.
        details = [
            {"where": ".".join(map(str, problem["loc"])), "rule": str(problem["msg"])}
            for problem in error.errors()
        ]
        return JSONResponse(
            error_body("invalid_parameters", "The request's parameters are not valid.", details),
            HTTPStatus.UNPROCESSABLE_ENTITY,
        )

    @app.exception_handler(HTTPException)
    async def standard(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        code = status.phrase.lower().replace(" ", "_")
        message = {
            HTTPStatus.NOT_FOUND: "There is nothing at this address.",
            HTTPStatus.METHOD_NOT_ALLOWED: f"{request.method} is not possible here.",
        }.get(status, str(error.detail))
        return JSONResponse(error_body(code, message), status, error.headers)

    @app.exception_handler(Exception)
    async def our_fault(_: Request, error: Exception) -> JSONResponse:
        # The server logs the traceback itself; the caller learns nothing of our insides.
        return JSONResponse(
            error_body(
                "internal_error",
                f"The backend failed ({type(error).__name__}). Its log says why.",
            ),
            HTTPStatus.INTERNAL_SERVER_ERROR,
            {"Connection": "close"},  # the server does so after every failure
        )
