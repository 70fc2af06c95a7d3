"""What a task does with a match: read it, hand it to the sink, on failure follow `retry.decide`.

Runs in a pool child. Retries and dead letters are published here, confirmed, *before* the delivery
is acknowledged; a crash in between leaves the message in two places under one id, which the store's
receipt makes harmless. The other order would lose it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from system.contract import envelope as wire
from system.contract import match as contract
from system.contract.envelope import PROCESS_TASK
from system.contract.submission import Effect, Outcome, Submission, Way
from system.contract.topology import (
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    PROCESS_QUEUE,
    RETRY_EXCHANGE,
    retry_queue,
)
from system.errors import BrokerUnavailable, ContractViolation, Violation, abbreviate
from system.messaging.publisher import Publisher, PublishOutcome
from system.worker import retry
from system.worker.metrics import WorkerMetrics

log = structlog.get_logger("worker")


class Sink(Protocol):
    """Where matches go. Idempotent by message id."""

    def apply(self, submission: Submission) -> Outcome:
        """Apply one message, or raise an error of `system.errors`."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as its task sees it.

    Attributes:
        args, kwargs: of the task; not yet checked.
        published_at: when the sender published it, if that is known.
        attempt: which attempt this is, from 1.
        replays: how often it was sent again from the dead letters.
        contract_version: the version of the contract that the sender names; None if it names none.
    """

    message_id: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    published_at: datetime | None
    attempt: int
    replays: int = 0
    contract_version: str | None = None


@dataclass
class Handler:
    """Handles one message at a time."""

    sink: Sink
    publisher: Publisher
    policy: retry.Policy
    where: str
    rng: random.Random
    metrics: WorkerMetrics

    def handle(self, incoming: Incoming) -> None:
        """Apply the message, send it to wait for a retry, or dead-letter it.

        Raises:
            BrokerUnavailable: none of the three was confirmed; the delivery must go back.
        """
        with self.metrics.task(PROCESS_TASK) as running:
            try:
                if not self._try_to_apply(incoming):
                    running.failed()
            except BaseException:
                self.metrics.returned()
                raise

    def _try_to_apply(self, incoming: Incoming) -> bool:
        """Return whether it took effect; if not, it was sent to a retry step or dead-lettered."""
        logger = log.bind(
            message_id=incoming.message_id, task_id=incoming.message_id, attempt=incoming.attempt
        )
        try:
            outcome = self._apply(incoming)
        except Exception as error:
            decision = retry.decide(error, incoming.attempt, self.policy, self.rng.random())
            logger.warning("failed", error=f"{type(error).__name__}: {error}", decision=decision)
            self._carry_out(decision, incoming)
            if isinstance(decision, retry.RetryIn):
                self.metrics.retried(retry.cause(error))
            return False
        logger.info("applied", effect=outcome.effect.value, match_id=outcome.match_id)
        self.metrics.applied(outcome.effect)
        return True

    def _apply(self, incoming: Incoming) -> Outcome:
        payload = match_argument(incoming)
        contract.read(
            payload, published_at=incoming.published_at, arrived_at=datetime.now(UTC)
        )  # a broken match is not worth a request
        submission = Submission(
            message_id=incoming.message_id,
            match=payload,
            published_at=incoming.published_at,
            way=Way.QUEUE,
            attempt=incoming.attempt,
        )
        with self.metrics.sink():
            outcome = self.sink.apply(submission)
        if outcome.effect is Effect.INVALID:
            raise ContractViolation([Violation(**each) for each in outcome.violations])
        return outcome

    def _carry_out(self, decision: retry.RetryIn | retry.GiveUp, incoming: Incoming) -> None:
        original = rebuild_envelope(incoming)
        if isinstance(decision, retry.RetryIn):
            self._publish(
                original.for_attempt(incoming.attempt + 1),
                RETRY_EXCHANGE,
                retry_queue(decision.step_s),
                decision.wait_ms,
            )
            return
        headers = wire.dead_headers(
            original.headers,
            reason=decision.reason,
            detail=decision.detail,
            where=self.where,
            queue=PROCESS_QUEUE,
            at=datetime.now(UTC),
        )
        self._publish(original.with_headers(headers), DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE)
        log.error(
            "dead-lettered",
            message_id=incoming.message_id,
            task_id=incoming.message_id,
            reason=decision.reason,
        )
        self.metrics.dead_lettered(decision.reason, incoming.published_at)

    def _publish(
        self, envelope: wire.Envelope, exchange: str, key: str, expiration_ms: int | None = None
    ) -> None:
        (result,) = self.publisher.publish(
            [envelope], exchange=exchange, key=key, within_s=10, expiration_ms=expiration_ms
        )
        if result.outcome is not PublishOutcome.CONFIRMED:
            raise BrokerUnavailable(f"{envelope.message_id} to {key}: {result.detail}")


def match_argument(incoming: Incoming) -> Any:
    """The one argument of the task.

    Raises:
        ContractViolation: there are more, or fewer.
    """
    if len(incoming.args) == 1 and not incoming.kwargs:
        return incoming.args[0]
    given = f"{len(incoming.args)} arguments and {len(incoming.kwargs)} keywords"
    raise ContractViolation(
        [Violation("(arguments)", abbreviate(incoming.args), f"must be one match, not {given}")]
    )


def rebuild_envelope(incoming: Incoming) -> wire.Envelope:
    """The message again, as its sender might have sent it, under the same id.

    If the publish time is not known, this first arrival stands in from now on: a retry must not
    make an old observation look new.
    """
    sent = wire.wrap_arguments(
        incoming.args,
        incoming.kwargs,
        message_id=incoming.message_id,
        published_at=incoming.published_at or datetime.now(UTC),
        attempt=incoming.attempt,
    )
    kept = {wire.REPLAYS: incoming.replays, wire.CONTRACT: incoming.contract_version}
    return sent.with_headers({**sent.headers, **kept})
