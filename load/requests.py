"""The requests that Locust counts: their types, and how one is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locust.env import Environment

CONFIRM, POST, AGAIN, COMMIT = "CONFIRM", "POST", "AGAIN", "COMMIT"
"""Types of requests: publish to confirm, due to answer, a failed try, publish to commit."""


def fire(
    environment: Environment, kind: str, name: str, ms: float, error: Exception | None = None
) -> None:
    """Tell Locust of a request that took `ms`; it failed if there is an error."""
    environment.events.request.fire(
        request_type=kind,
        name=name,
        response_time=ms,
        response_length=0,
        exception=error,
        context={},
    )
