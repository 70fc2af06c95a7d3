"""The tasks, thin: they turn Celery's request into plain values and call other modules."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from billiard.exceptions import SoftTimeLimitExceeded
from celery.exceptions import Reject

from system.contract import match as contract
from system.contract.envelope import (
    ATTEMPT,
    CONTRACT,
    HELLO_TASK,
    PROCESS_TASK,
    PUBLISHED_AT,
    REPLAYS,
    VALIDATE_TASK,
)
from system.errors import BrokerUnavailable, ContractViolation
from system.worker.handling import Incoming, match_argument

if TYPE_CHECKING:
    from system.worker.app import WorkerApp

HELLO_SECONDS_MAX = 30.0


def register(app: WorkerApp) -> None:
    """Register the tasks with `app`."""

    @app.task(name=PROCESS_TASK, bind=True)
    def process_match_data(self: Any, *args: Any, **kwargs: Any) -> None:
        """Take a match to the store. Its receipt there is the result; Redis is not needed."""
        try:
            app.handler.handle(_incoming(self.request, args, kwargs))
        except (BrokerUnavailable, SoftTimeLimitExceeded) as error:
            # Not even a retry was confirmed, or not in time: the broker delivers it again.
            raise Reject(str(error), requeue=True) from None

    # A caller waits for these two, so a failure is an answer, not a dead letter.
    answering: dict[str, Any] = {
        "ignore_result": False,
        "acks_on_failure": True,
        "acks_on_timeout": True,
    }

    @app.task(name=VALIDATE_TASK, bind=True, **answering)
    def validate_match_data(self: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Check a match against the contract: `{"valid": …, "violations": [{field, …}]}`."""
        with app.handler.metrics.task(VALIDATE_TASK):
            try:
                contract.read(
                    match_argument(_incoming(self.request, args, kwargs)),
                    published_at=None,
                    arrived_at=datetime.now(UTC),
                )
            except ContractViolation as broken:  # an answer, too
                violations = [violation.as_dict() for violation in broken.violations]
                return {"valid": False, "violations": violations}
            return {"valid": True, "violations": []}

    @app.task(name=HELLO_TASK, **answering)
    def hello(name: str = "world", seconds: float = 0.0) -> str:
        """Greet, after working for `seconds` (30 at most); for learning how a task lives."""
        with app.handler.metrics.task(HELLO_TASK):
            time.sleep(max(0.0, min(float(seconds), HELLO_SECONDS_MAX)))
            return f"Hello, {name}!"


def _incoming(request: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Incoming:
    published_at = request.get(PUBLISHED_AT)
    return Incoming(
        message_id=request.id,
        args=args,
        kwargs=kwargs,
        published_at=datetime.fromisoformat(published_at) if published_at else None,
        attempt=request.get(ATTEMPT) or 1,
        replays=request.get(REPLAYS) or 0,
        contract_version=request.get(CONTRACT),
    )
