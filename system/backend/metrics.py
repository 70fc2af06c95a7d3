"""The backend's metrics: requests, effects, latency, and time in the database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from system.backend.bounds import Refusal
from system.contract.submission import Way
from system.metrics.definitions import MetricFactory, values
from system.metrics.effects import EffectMetrics, End, LatencyMetric

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class BackendMetrics:
    """The metrics of one backend.

    Attributes:
        registry: of this backend alone.
        effects: counts what was committed.
    """

    def __init__(self, factory: MetricFactory | None = None) -> None:
        factory = factory or MetricFactory()
        self.registry = factory.registry
        self._requests = factory.counter(
            "http_requests", "Requests answered", {"route": (), "method": (), "status": ()}
        )
        self._seconds = factory.histogram(
            "http_request_seconds",
            "Time from the request's head to the end of the answer",
            {"route": (), "method": ()},
        )
        self._in_flight = factory.gauge(
            "http_requests_in_flight",
            "Requests that are being answered",
            multiprocess_mode="livesum",
        )
        self._refusals = factory.counter(
            "http_refusals",
            "Connections that the server ended for exceeding a bound",
            {"reason": values(Refusal)},
        )
        latency = LatencyMetric(factory, (End.COMMITTED,), tuple(Way))
        self.effects = EffectMetrics(factory, latency, tuple(Way))
        self._database = factory.histogram(
            "database_seconds", "Time in the database, by operation", {"operation": ()}
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        method = method if method in _METHODS else "other"
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def refused(self, why: Refusal) -> None:
        """Count a connection that the server ended."""
        self._refusals.labels(why).inc()

    @contextmanager
    def in_flight(self) -> Iterator[None]:
        """Count a request as being answered for the block."""
        with self._in_flight.track_inprogress():
            yield

    @contextmanager
    def database(self, operation: str) -> Iterator[None]:
        """Time an operation in the database."""
        with self._database.labels(operation).time():
            yield


class CountRequests:
    """ASGI middleware that counts each request under its route's template, never its path."""

    def __init__(self, app: ASGIApp, metrics: BackendMetrics) -> None:
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
            with self._metrics.in_flight():
                await self._app(scope, receive, watched)
        finally:
            route = getattr(scope.get("route"), "path", "(none)")
            seconds = time.perf_counter() - begun
            self._metrics.request(route, scope["method"], status, seconds)
