"""The answers of the API: their shapes for its description, and their bytes."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from system.contract.submission import Outcome


class ErrorBody(BaseModel):
    """What went wrong: a word for programs, a sentence for people, and details if there are any."""

    code: str
    message: str
    details: list[Any]


class Error(BaseModel):
    """The answer to a request that could not be done."""

    error: ErrorBody


class Refusal(Outcome):
    """The answer for a single message that breaks the contract: its outcome, and an error."""

    error: ErrorBody


class Outcomes(BaseModel):
    """The outcomes of a batch, in the order of its messages."""

    outcomes: list[Outcome]


ERRORS: dict[int | str, dict[str, Any]] = {
    HTTPStatus.UNPROCESSABLE_ENTITY: {"model": Error, "description": "Invalid parameters"},
    HTTPStatus.SERVICE_UNAVAILABLE: {"model": Error, "description": "The database is unavailable"},
}


def json_response(model: BaseModel, status: int = HTTPStatus.OK) -> Response:
    """Return a model as JSON; it is our own, so it is not checked once more."""
    return Response(model.model_dump_json(), status, media_type="application/json")
