"""Where the gate puts a delivery that goes no further: among the dead letters, or to wait.

Both are published, confirmed, before the delivery is acknowledged; see `worker.handling`.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from system.contract.envelope import (
    ATTEMPT,
    PUBLISHED_AT,
    Envelope,
    dead_headers,
    encoding_of,
    new_message_id,
)
from system.contract.topology import (
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    RETRY_EXCHANGE,
    retry_queue,
)
from system.errors import abbreviate
from system.messaging.publisher import Publisher, PublishOutcome
from system.worker import retry
from system.worker.gate import (
    SHORT_BYTES_MAX,
    RawDelivery,
    Unreadable,
    count_header,
    own_id,
    published_at,
)
from system.worker.metrics import WorkerMetrics

log = structlog.get_logger("worker")

# The consumer's loop is blocked meanwhile, so this is well below the heartbeat's limit.
_WITHIN_S = 3.0


@dataclass(frozen=True)
class Aside:
    """Puts deliveries aside, as they came.

    Attributes:
        where: the name of the worker.
    """

    publisher: Publisher
    metrics: WorkerMetrics
    where: str
    rng: random.Random

    def bury(self, delivery: RawDelivery, why: Unreadable) -> bool:
        """Dead-letter it with the reason; return whether it is safe there."""
        now = datetime.now(UTC)
        # A replay must not make an old observation look new.
        seen_at = published_at(delivery.headers, delivery.properties)
        headers = dead_headers(
            {**delivery.headers, PUBLISHED_AT: seen_at or now.isoformat()},
            reason=why.reason,
            detail=why.detail,
            where=self.where,
            queue=delivery.queue or delivery.key,
            at=now,
        )
        copy = _copy(delivery, headers)
        log.error(
            "dead-lettered",
            message_id=copy.message_id,
            task_id=abbreviate(delivery.headers.get("id"), SHORT_BYTES_MAX).strip("'"),
            reason=why.reason,
            detail=why.detail,
        )
        safe = self._is_safe(copy, DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE)
        if safe:
            since = datetime.fromisoformat(seen_at) if seen_at else None
            self.metrics.dead_lettered(why.reason, since)
        else:
            self.metrics.returned()
        return safe

    def wait(self, delivery: RawDelivery, error: Exception) -> bool:
        """Send it to wait for a worker without this bug; return whether it is safe there.

        Args:
            delivery: of a match.
            error: what our own code did not foresee.
        """
        attempt = count_header(delivery.headers, ATTEMPT, least=1)
        decision = retry.decide(error, attempt, retry.Policy(), self.rng.random())
        if isinstance(decision, retry.GiveUp):
            return self.bury(delivery, Unreadable(decision.reason, decision.detail))
        copy = _copy(delivery, {**delivery.headers, ATTEMPT: attempt + 1})
        step = retry_queue(decision.step_s)
        safe = self._is_safe(copy, RETRY_EXCHANGE, step, decision.wait_ms)
        if safe:
            self.metrics.retried(retry.Cause.BUG)
        else:
            self.metrics.returned()
        return safe

    def _is_safe(
        self, copy: Envelope, exchange: str, key: str, expiration_ms: int | None = None
    ) -> bool:
        """Publish it; return whether the broker confirmed it."""
        (result,) = self.publisher.publish(
            [copy], exchange=exchange, key=key, within_s=_WITHIN_S, expiration_ms=expiration_ms
        )
        return result.outcome is PublishOutcome.CONFIRMED


def _copy(delivery: RawDelivery, headers: Mapping[str, Any]) -> Envelope:
    return Envelope(
        own_id(delivery) or new_message_id(),
        delivery.body,
        headers,
        delivery.content_type or "application/octet-stream",
        encoding_of(delivery.content_type, delivery.content_encoding),
    )
