"""`POST /api/matches`: the entry point of all messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from re import fullmatch
from typing import Any

import psycopg
import structlog
from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from system.backend import store
from system.backend.answers import ERRORS, Error, Outcomes, Refusal, json_response
from system.backend.auth import Writer
from system.backend.database import Database
from system.backend.errors import ApiError, error_body
from system.backend.limits import read_json
from system.backend.metrics import BackendMetrics
from system.contract.schema import SCHEMA
from system.contract.submission import (
    BATCH_MAX,
    MESSAGE_ID_PATTERN,
    Effect,
    Outcome,
    Submission,
    Way,
)
from system.errors import ContractViolation, Violation, abbreviate

log = structlog.get_logger("backend")
router = APIRouter(prefix="/api")


def _body_schema() -> dict[str, Any]:
    """One message or a batch of them, with the contract's own schema inside."""
    message = Submission.model_json_schema(ref_template="#/$defs/{model}")
    definitions = message.pop("$defs", {})
    message["properties"]["match"] = {"type": "object", "description": SCHEMA["description"]}
    message["properties"]["way"] = {"enum": definitions["Way"]["enum"], "default": "http"}
    return {"anyOf": [message, {"type": "array", "items": message, "maxItems": BATCH_MAX}]}


@router.post(
    "/matches",
    response_model=Outcome | Outcomes,
    responses={
        HTTPStatus.CREATED: {"model": Outcome, "description": "A single message created a match"},
        HTTPStatus.BAD_REQUEST: {"model": Error, "description": "Malformed JSON"},
        HTTPStatus.UNAUTHORIZED: {"model": Error, "description": "No token"},
        HTTPStatus.FORBIDDEN: {"model": Error, "description": "Wrong token"},
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: {"model": Error, "description": "Too much at once"},
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: {"model": Error, "description": "Not JSON"},
        HTTPStatus.UNPROCESSABLE_ENTITY: {"model": Refusal, "description": "Breaks the contract"},
        HTTPStatus.SERVICE_UNAVAILABLE: ERRORS[HTTPStatus.SERVICE_UNAVAILABLE],
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _body_schema()}},
        }
    },
)
async def post_matches(request: Request, _: Writer) -> Response:
    """Apply one message, or a batch in one transaction; safe to repeat, by message id.

    A single message is answered by its outcome: 201 if it created a match, 422 if it breaks the
    contract, else 200. A batch is always answered by 200 and an outcome for each message, in order.
    What cannot even be read as a message is INVALID too, under its message id if that is valid,
    else under "".
    """
    received_at = datetime.now(UTC)
    body = await read_json(request)
    if not isinstance(body, list):
        (outcome,) = await _apply(request, [body], received_at)
        return _single(outcome)
    if len(body) > BATCH_MAX:
        raise ApiError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            "batch_too_large",
            f"{len(body)} messages in one request; at most {BATCH_MAX} are possible.",
        )
    return json_response(Outcomes(outcomes=await _apply(request, body, received_at)))


def _single(outcome: Outcome) -> Response:
    if outcome.effect is not Effect.INVALID:
        created = outcome.effect is Effect.CREATED
        return json_response(outcome, HTTPStatus.CREATED if created else HTTPStatus.OK)
    error = error_body("invalid", "The message breaks the contract.", outcome.violations)
    refusal = Refusal.model_validate({**outcome.model_dump(), **error})
    return json_response(refusal, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _apply(request: Request, payloads: Sequence[Any], received_at: datetime) -> list[Outcome]:
    database: Database = request.app.state.database
    metrics: BackendMetrics = request.app.state.metrics
    skew = timedelta(seconds=request.app.state.settings.clock_skew_s)
    read = [_read(payload) for payload in payloads]
    submissions = [item for item in read if isinstance(item, Submission)]

    def work(connection: psycopg.Connection) -> list[Outcome]:
        outcomes = store.submit(connection, submissions, received_at=received_at, skew=skew)
        # Here, in the thread that made the commit: the caller may have hung up meanwhile.
        metrics.effects.applied(submissions, outcomes, received_at)
        _log_applied(submissions, outcomes)
        return outcomes

    applied = await database.run("apply", work) if submissions else []
    for item in read:
        if isinstance(item, Outcome):
            metrics.effects.broken()
            _log(item, Way.HTTP)
    outcomes = iter(applied)
    return [item if isinstance(item, Outcome) else next(outcomes) for item in read]


def _log_applied(submissions: Sequence[Submission], outcomes: Sequence[Outcome]) -> None:
    """Log a line for each message; but one for all that a worker sent together, and applied.

    The worker says what each of them did.
    """
    together = []
    for submission, outcome in zip(submissions, outcomes, strict=True):
        if len(outcomes) == 1 or submission.way is Way.HTTP or outcome.effect is Effect.INVALID:
            _log(outcome, submission.way)
        else:
            together.append(outcome.message_id)
    if together:
        log.info("applied", messages=len(together), message_ids=together, way=Way.QUEUE)


def _log(outcome: Outcome, way: Way) -> None:
    """Log one line for a message, under its id; the rules that it breaks go to its sender only."""
    say = log.warning if outcome.effect is Effect.INVALID else log.info
    say("applied", message_id=outcome.message_id, effect=outcome.effect, way=way)


def _read(payload: Any) -> Submission | Outcome:
    """Read a message's envelope; the store reads its match."""
    try:
        return Submission.model_validate(payload)
    except ValidationError as error:
        message_id = payload.get("message_id") if isinstance(payload, dict) else None
        if not isinstance(message_id, str) or not fullmatch(MESSAGE_ID_PATTERN, message_id):
            message_id = ""
        violations = [
            Violation(
                abbreviate(".".join(map(str, problem["loc"]))).strip("'\"") or "(message)",
                abbreviate(problem.get("input")),
                str(problem["msg"]),
            )
            for problem in error.errors(include_url=False, include_context=False)
        ]
        return store.invalid(message_id, ContractViolation(violations))
