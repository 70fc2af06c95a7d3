"""What becomes of a message whose application failed: one pure function.

    permanent   data breaks the contract, or the other side refuses it  → dead letter at once
    transient   database, API or broker unavailable, a time limit       → wait, for a day at most
    bug         anything else: our own code did not foresee it          → wait, just as long

Waiting happens in the broker, in a queue for each retry step (contract.topology.RETRY_DELAYS_S),
not in the worker: nothing is held, nothing is lost with a worker, and other messages pass.

A bug is no fault of its message, which a repaired worker will apply. An alert speaks of it, and a
worker that meets nothing but bugs stops taking messages (see `worker.brake`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from billiard.exceptions import SoftTimeLimitExceeded

from system.contract.reasons import Reason
from system.contract.topology import RETRY_DELAYS_S
from system.errors import (
    ApiUnavailable,
    BrokerUnavailable,
    ContractViolation,
    DatabaseUnavailable,
    Refused,
)


class Cause(StrEnum):
    """What a message waits for; BUG: for a worker that is repaired."""

    DATABASE = "database"
    API = "api"
    BROKER = "broker"
    TIME_LIMIT = "time_limit"
    BUG = "bug"


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient a worker is.

    Attributes:
        attempts_max: with a last retry step of 15 minutes, 100 is about a day.
        jitter: part of a pause that is drawn at random, 0 to 1, so that messages that failed
            together do not come back together.
    """

    attempts_max: int = 100
    jitter: float = 0.25


@dataclass(frozen=True, slots=True)
class RetryIn:
    """Try again after `wait_ms`, waiting in the queue of the retry step `step_s`."""

    step_s: int
    wait_ms: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Dead-letter it; a person has to look.

    Attributes:
        reason: a word to filter by.
        detail: what happened, in words.
    """

    reason: Reason
    detail: str


def cause(error: BaseException) -> Cause:
    """Name the cause of an error that is worth another attempt."""
    kinds = {
        DatabaseUnavailable: Cause.DATABASE,
        ApiUnavailable: Cause.API,
        BrokerUnavailable: Cause.BROKER,
        SoftTimeLimitExceeded: Cause.TIME_LIMIT,
    }
    return next((word for kind, word in kinds.items() if isinstance(error, kind)), Cause.BUG)


def is_bug(error: BaseException) -> bool:
    """Whether our own code did not foresee it; neither the message nor anything outside failed."""
    return not isinstance(error, (ContractViolation, Refused)) and cause(error) is Cause.BUG


def decide(error: BaseException, attempt: int, policy: Policy, spread: float) -> RetryIn | GiveUp:
    """Decide what becomes of a message.

    Args:
        error: what the attempt raised.
        attempt: which attempt that was, from 1.
        policy: how patient to be.
        spread: a number from 0 to 1, drawn by the caller: where in the jitter the pause falls.
    """
    detail = str(error) or type(error).__name__
    if isinstance(error, ContractViolation):
        return GiveUp(Reason.INVALID, detail)
    if isinstance(error, Refused):
        return GiveUp(Reason.REFUSED, detail)
    if attempt >= policy.attempts_max:
        return GiveUp(
            Reason.EXHAUSTED, f"after {attempt} attempts: {type(error).__name__}: {detail}"
        )
    step_s = RETRY_DELAYS_S[min(attempt, len(RETRY_DELAYS_S)) - 1]
    return RetryIn(step_s, wait_ms=int(1000 * step_s * (1 - policy.jitter * spread)))
