"""The backend as an ASGI application, put together from its parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI

from system.backend import connections, errors, health, pages, reading, writing
from system.backend.bounds import Bounds
from system.backend.database import Database
from system.backend.metrics import BackendMetrics, CountRequests
from system.contract import schema
from system.settings import BackendSettings


def create(settings: BackendSettings) -> FastAPI:
    """Build the application. It connects when it starts, and serves before the database is there.

    While the database is unavailable, requests that need it are answered by 503; it recovers by
    itself. `state.protocol` is the class of uvicorn's connections (its setting `http`) for it.
    """
    metrics = BackendMetrics()
    database = Database(settings.database_url, settings.pool_size, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        database.open()
        try:
            yield
        finally:
            await to_thread.run_sync(database.close)

    app = FastAPI(
        title="Missing Table backend",
        description=__doc__,
        version=schema.VERSION,
        lifespan=lifespan,
        # Their pages load scripts from elsewhere; the description itself is at /openapi.json.
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.database = database
    app.state.protocol = connections.bounded(_bounds(settings), metrics.refused)
    errors.install(app)
    for part in (writing, reading, health, pages):
        app.include_router(part.router)
    app.add_middleware(CountRequests, metrics=metrics)
    return app


def _bounds(settings: BackendSettings) -> Bounds:
    return Bounds(
        head_bytes=settings.head_bytes_max,
        head_fields=settings.head_fields_max,
        head_s=settings.head_s,
        body_s=settings.body_s,
        connections=settings.connections_max,
    )
