"""The endpoints for machines: is the process alive, can it serve, and its metrics."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from system.backend.answers import ERRORS
from system.backend.database import Database
from system.backend.metrics import BackendMetrics

router = APIRouter()

PATHS = ("/healthz", "/readyz", "/metrics")
"""The endpoints of this module: answered also while there are too many other requests."""


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive; nothing else is checked."""
    return {"status": "alive"}


@router.get("/readyz", responses=ERRORS)
async def readyz(request: Request) -> dict[str, str]:
    """The database answers and is migrated; 503 and the reason, if not."""
    database: Database = request.app.state.database
    await database.check()
    return {"status": "ready"}


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Prometheus metrics, as text."""
    kept: BackendMetrics = request.app.state.metrics
    return Response(generate_latest(kept.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
