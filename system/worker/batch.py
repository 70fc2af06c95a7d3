"""What a pool child does with several matches: one request or transaction for all of them.

Where that fails, each is applied alone, so that a bad match fails alone. What becomes of each is
decided as for a single one (`worker.handling`): retries and dead letters are published, confirmed,
before the child reports.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded
from celery import current_app

from system.contract.envelope import ATTEMPT, CONTRACT, PUBLISHED_AT, REPLAYS
from system.contract.submission import Effect, Outcome, Submission
from system.errors import ApiFailed, BrokerUnavailable, ContractViolation, Unavailable
from system.worker import retry
from system.worker.gate import Admitted
from system.worker.handling import Handler, Incoming
from system.worker.metrics import BatchRun

log = structlog.get_logger("worker")

Call = tuple[str, list[Any], dict[str, Any], str | None, int, int, str | None]
"""The fields of `Incoming`, in plain types that cross a pipe cheaply."""


class Fate(IntEnum):
    """What the main process does with a delivery.

    SETTLED   acknowledge it: it took effect, or a retry or a dead letter of it is safe
    RETURNED  give it back to the queue: none of these could be made sure of
    ALONE     try it alone, in a job of its own
    """

    SETTLED = 0
    RETURNED = 1
    ALONE = 2


def call_of(admitted: Admitted) -> Call:
    """What a pool child is given of a delivery that passed the gate."""
    of = admitted.headers
    return (
        of["id"],
        admitted.args,
        admitted.kwargs,
        of[PUBLISHED_AT],
        of[ATTEMPT],
        of[REPLAYS],
        of[CONTRACT],
    )


def incoming_of(call: Call) -> Incoming:
    """The message as a task sees it."""
    message_id, args, kwargs, published_at, attempt, replays, contract_version = call
    return Incoming(
        message_id=message_id,
        args=tuple(args),
        kwargs=kwargs,
        published_at=datetime.fromisoformat(published_at) if published_at else None,
        attempt=attempt,
        replays=replays,
        contract_version=contract_version,
    )


def apply(calls: Sequence[Call]) -> list[Fate]:
    """What the pool runs: apply a batch; return the fate of each of its messages."""
    app: Any = current_app
    return handle(app.handler, [incoming_of(call) for call in calls])


def handle(handler: Handler, incomings: Sequence[Incoming]) -> list[Fate]:
    """Apply messages together; what is not settled when the time is up is to be tried alone."""
    fates = [Fate.ALONE] * len(incomings)
    try:
        with handler.metrics.tasks(len(incomings)) as running:
            _together(handler, running, incomings, fates)
    except SoftTimeLimitExceeded as error:
        log.warning(
            "a batch was stopped; what is left of it is tried alone",
            error=repr(error),
            left=fates.count(Fate.ALONE),
        )
    return fates


def _together(
    handler: Handler, running: BatchRun, incomings: Sequence[Incoming], fates: list[Fate]
) -> None:
    submissions: dict[int, Submission] = {}
    for at, incoming in enumerate(incomings):
        try:
            submissions[at] = handler.submission(incoming)
        except SoftTimeLimitExceeded:
            raise
        except Exception as error:
            fates[at] = _put_aside(handler, running, incoming, error)
    try:
        outcomes = handler.submit(list(submissions.values()))
    except SoftTimeLimitExceeded:
        raise
    except Exception as error:
        _log_failure(error, len(submissions))
        for at, submission in submissions.items():
            fates[at] = _alone(handler, running, incomings[at], submission, error)
        return
    effects: Tally[Effect] = Tally()
    told = []
    for at, outcome in zip(submissions, outcomes, strict=True):
        if outcome.effect is Effect.INVALID:
            fates[at] = _settled(handler, running, incomings[at], outcome)
            continue
        told.append((incomings[at], outcome))
        effects[outcome.effect] += 1
        fates[at] = Fate.SETTLED
    handler.tell(told)
    if effects:
        handler.streak.other()
    for effect, count in effects.items():
        handler.metrics.applied(effect, count)


def _alone(
    handler: Handler,
    running: BatchRun,
    incoming: Incoming,
    submission: Submission,
    error: Exception,
) -> Fate:
    """Apply one of a batch that failed.

    Unless the other side was not there, which is no fault of any message: time-outs one after the
    other would exceed the time limit.
    """
    if _is_absence(error):
        return _put_aside(handler, running, incoming, error)
    try:
        (outcome,) = handler.submit([submission])
    except SoftTimeLimitExceeded:
        raise
    except Exception as its_own:
        return _put_aside(handler, running, incoming, its_own)
    return _settled(handler, running, incoming, outcome)


def _is_absence(error: Exception) -> bool:
    return isinstance(error, Unavailable) and not isinstance(error, ApiFailed)


def _log_failure(error: Exception, messages: int) -> None:
    log.warning(
        "a batch failed",
        messages=messages,
        error=f"{type(error).__name__}: {error}",
        so="all of it waits" if _is_absence(error) else "each of it is tried alone",
    )


def _settled(handler: Handler, running: BatchRun, incoming: Incoming, outcome: Outcome) -> Fate:
    try:
        handler.settle(incoming, outcome)
    except ContractViolation as error:
        return _put_aside(handler, running, incoming, error)
    return Fate.SETTLED


def _put_aside(handler: Handler, running: BatchRun, incoming: Incoming, error: Exception) -> Fate:
    """As a task does; but what is not foreseen even here is left to a job of its own.

    So is what meets a bug when the brake is about to be applied: it goes back to the queue then.
    """
    running.failed()
    if retry.is_bug(error) and handler.streak.is_long():
        return Fate.ALONE
    try:
        handler.put_aside(incoming, error)
    except SoftTimeLimitExceeded:
        raise
    except BrokerUnavailable:
        handler.metrics.returned()
        return Fate.RETURNED
    except Exception as bug:
        log.exception("failed", message_id=incoming.message_id, error=repr(bug))
        return Fate.ALONE
    return Fate.SETTLED
