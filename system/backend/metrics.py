"""What Prometheus is told: requests, effects, latency, and time in the database."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from system.contract.submission import Effect, Outcome, Submission, Way

# The objective for the mean is 0.5 s, so there is an edge at it.
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LATENCY_BUCKETS_S = (*BUCKETS_S, 30.0, 60.0, 300.0, 3600.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The metrics of one backend, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "missing_table_http_requests",
            "Requests answered",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "missing_table_http_request_seconds",
            "Time from the request's head to the end of the answer",
            ["route", "method"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._effects = Counter(
            "missing_table_effects",
            "Messages by what they did to the stored match",
            ["effect", "way"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "missing_table_commit_latency_seconds",
            "Time from first publish (or arrival, where unknown) to the commit of the effect",
            ["way"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._database = Histogram(
            "missing_table_database_seconds",
            "Time in the database, by operation",
            ["operation"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        # A series that is missing is not a zero: rates over it would be empty, not 0.
        for effect in Effect:
            for way in Way:
                self._effects.labels(effect.value, way.value)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        method = method if method in _METHODS else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def effects(
        self, submissions: Iterable[Submission], outcomes: Iterable[Outcome], arrived_at: datetime
    ) -> None:
        """Count what messages did, and how long after their publishing; call it after the commit.

        Redeliveries and refusals have no latency: nothing was committed by them.
        """
        now = datetime.now(UTC)
        for submission, outcome in zip(submissions, outcomes, strict=True):
            self._effects.labels(outcome.effect.value, submission.way.value).inc()
            if outcome.effect not in (Effect.DUPLICATE, Effect.INVALID):
                since = submission.published_at or arrived_at
                seconds = max(0.0, (now - since).total_seconds())
                self._latency.labels(submission.way.value).observe(seconds)

    def broken(self, way: Way = Way.HTTP) -> None:
        """Count a message that could not even be read as a submission."""
        self._effects.labels(Effect.INVALID.value, way.value).inc()

    @contextmanager
    def database(self, operation: str) -> Iterator[None]:
        """Time a piece of work in the database."""
        with self._database.labels(operation).time():
            yield


class CountRequests:
    """ASGI middleware that counts each request under its route's template, never its path."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, watching the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")
            seconds = time.perf_counter() - begun
            self._metrics.request(route, scope["method"], status, seconds)
