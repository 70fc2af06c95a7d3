"""What a task does with a match: read it, hand it to the sink, on failure follow `retry.decide`.

Runs in a pool child. Retries and dead letters are published here, confirmed, *before* the delivery
is acknowledged; a crash in between leaves the message in two places under one id, which the store's
receipt makes harmless. The other order would lose it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from pydantic_core import to_json

from system.contract import envelope as wire
from system.contract import observation
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
from system.telemetry import EACH
from system.worker import retry
from system.worker.metrics import WorkerMetrics
from system.worker.streak import Streak

log = structlog.get_logger("worker")


class Sink(Protocol):
    """Where matches go. Idempotent by message id."""

    def apply(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Apply messages, all or none; an outcome for each, in order (INVALID among them).

        Raises:
            PipelineError: an error of `system.errors`.
        """

    def probe(self) -> None:
        """Ask whether messages would be taken, without sending one.

        Raises:
            Unavailable: it cannot be asked now; that may change by itself.
            SettingsError: it refuses this worker, and will until a setting is changed.
        """


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
    """Handles messages: one at a time by `handle`, several together by `worker.batch`.

    Attributes:
        log_every: of the messages that took effect, every n-th one has a line in the log; 0: none.
    """

    sink: Sink
    publisher: Publisher
    policy: retry.Policy
    where: str
    rng: random.Random
    metrics: WorkerMetrics
    streak: Streak
    log_every: int = 1
    _told: int = 0

    def handle(self, incoming: Incoming) -> None:
        """Apply the message, send it to wait for a retry, or dead-letter it.

        Raises:
            BrokerUnavailable: none of the three was confirmed; the delivery must go back.
        """
        with self.metrics.task(PROCESS_TASK) as running:
            try:
                (outcome,) = self.submit([self.submission(incoming)])
                self.settle(incoming, outcome)
            except Exception as error:
                running.failed()
                self.put_aside(incoming, error)

    def submission(self, incoming: Incoming) -> Submission:
        """What the sink is given of a message. The store reads the match; nobody before it does.

        Raises:
            ContractViolation: it is not one match, or cannot be sent on as it is.
        """
        match = match_argument(incoming)
        _assert_sendable(match)
        return Submission(
            message_id=incoming.message_id,
            match=match,
            published_at=incoming.published_at,
            way=Way.QUEUE,
            attempt=incoming.attempt,
        )

    def submit(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Hand messages on; raises what the sink raises."""
        with self.metrics.sink():
            return self.sink.apply(submissions)

    def settle(self, incoming: Incoming, outcome: Outcome) -> None:
        """Note what a message did to the stored match.

        Raises:
            ContractViolation: nothing, for it breaks the contract.
        """
        if outcome.effect is Effect.INVALID:
            raise ContractViolation([Violation(**each) for each in outcome.violations])
        self.streak.other()
        self.tell([(incoming, outcome)])
        self.metrics.applied(outcome.effect)

    def tell(self, done: Sequence[tuple[Incoming, Outcome]]) -> None:
        """Log what each message did, unless the settings leave it out."""
        before, self._told = self._told, self._told + len(done)
        if not self.log_every:
            return
        lines = [
            {
                "message_id": incoming.message_id,
                "task_id": incoming.message_id,
                "attempt": incoming.attempt,
                "effect": outcome.effect.value,
                "match_id": outcome.match_id,
            }
            for number, (incoming, outcome) in enumerate(done, start=before + 1)
            if number % self.log_every == 0
        ]
        log.info("applied", **{EACH: lines})

    def put_aside(self, incoming: Incoming, error: Exception) -> None:
        """Send a message whose application failed to a retry step, or dead-letter it.

        Args:
            incoming: the message.
            error: what its application raised.

        Raises:
            BrokerUnavailable: neither was confirmed; the delivery must go back.
        """
        decision = retry.decide(error, incoming.attempt, self.policy, self.rng.random())
        said = {"error": f"{type(error).__name__}: {error}", "decision": decision}
        if retry.is_bug(error):
            self.streak.bug(incoming.message_id)
            _log(incoming).error("failed", **said, exc_info=error)
        else:
            self.streak.other()
            _log(incoming).warning("failed", **said)
        self._carry_out(decision, incoming)
        if isinstance(decision, retry.RetryIn):
            self.metrics.retried(retry.cause(error))

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
        _log(incoming).error("dead-lettered", reason=decision.reason)
        self.metrics.dead_lettered(decision.reason, incoming.published_at)

    def _publish(
        self, envelope: wire.Envelope, exchange: str, key: str, expiration_ms: int | None = None
    ) -> None:
        (result,) = self.publisher.publish(
            [envelope], exchange=exchange, key=key, within_s=10, expiration_ms=expiration_ms
        )
        if result.outcome is not PublishOutcome.CONFIRMED:
            raise BrokerUnavailable(f"{envelope.message_id} to {key}: {result.detail}")


def _log(incoming: Incoming) -> Any:
    return log.bind(
        message_id=incoming.message_id, task_id=incoming.message_id, attempt=incoming.attempt
    )


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


def _is_surely_sendable(match: Any) -> bool:
    """As nearly every match is, which this tells in a fifth of the time."""
    try:
        text = to_json(match, inf_nan_mode="constants")
    except ValueError:
        return False
    return b"NaN" not in text and b"Infinity" not in text


def _assert_sendable(match: Any) -> None:
    """Half a surrogate pair is no UTF-8, and a number like 1e400 would become null on its way.

    Raises:
        ContractViolation: it holds such a value.
    """
    if _is_surely_sendable(match):
        return
    try:
        json.dumps(match, ensure_ascii=False, allow_nan=False).encode()
    except ValueError as error:
        observation.read(match, published_at=None, arrived_at=datetime.now(UTC))  # names the field
        raise ContractViolation(
            [Violation("(match)", abbreviate(match), f"must be JSON in UTF-8: {error}")]
        ) from None


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
