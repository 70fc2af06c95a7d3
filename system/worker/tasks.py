"""The tasks, thin: they turn Celery's request into plain values and call other modules."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import structlog
from billiard.exceptions import SoftTimeLimitExceeded, WorkerLostError
from celery.exceptions import Reject
from celery.worker.request import Request

from system.contract import observation
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
from system.worker.gathering import Gatherer
from system.worker.handling import Incoming, match_argument

if TYPE_CHECKING:
    from system.worker.app import WorkerApp

HELLO_SECONDS_MAX = 30.0
BUG_REST_S = 1.0

log = structlog.get_logger("worker")


class WatchedRequest(Request):
    """A request whose loss is counted: a child that its message kills cannot count."""

    def on_failure(self, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        """Called in the main process."""
        error = exc_info.exception
        if isinstance(getattr(error, "exc", error), WorkerLostError):
            self.app.streak.bug(self.id)
        return super().on_failure(exc_info, *args, **kwargs)


def register(app: WorkerApp) -> None:
    """Register the tasks with `app`."""

    @app.task(name=PROCESS_TASK, bind=True, Request=WatchedRequest, **_strategy(app))
    def process_match_data(self: Any, *args: Any, **kwargs: Any) -> None:
        """Take a match to the store. Its receipt there is the result; Redis is not needed."""
        try:
            incoming = _incoming(self.request, args, kwargs)
            try:
                app.handler.handle(incoming)
            except (BrokerUnavailable, SoftTimeLimitExceeded):
                raise
            except Exception as error:
                app.handler.put_aside(incoming, error)
        except (BrokerUnavailable, SoftTimeLimitExceeded) as error:
            # Not even a retry was confirmed, or not in time: the broker delivers it again.
            app.handler.metrics.returned()
            raise Reject(str(error), requeue=True) from None
        except Exception as error:
            # A bug even in putting it aside. A rest, or it would use up its deliveries at once.
            app.streak.bug(self.request.id)
            log.error("bug", message_id=self.request.id, error=repr(error), exc_info=True)
            app.handler.metrics.returned()
            time.sleep(BUG_REST_S)
            raise Reject(repr(error), requeue=True) from None

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
                observation.read(
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


def _strategy(app: WorkerApp) -> dict[str, Any]:
    """Gather matches, unless a batch is one match: then Celery's own strategy is left in place."""
    return {"Strategy": Gatherer} if app.coalescing.size > 1 else {}


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
