"""The dashboards as Grafana's JSON: one file for each board, in this folder."""

from __future__ import annotations

from pathlib import Path

from lab.monitoring.dashboards import chaos, overview, rabbitmq, slo, workers
from lab.monitoring.dashboards.board import as_json

FOLDER = Path(__file__).parent
BOARDS = (overview, rabbitmq, workers, slo, chaos)


def pages() -> dict[Path, str]:
    """The content of each file."""
    return {
        FOLDER / f"{builder.name}.json": as_json(builder)
        for builder in (each.board() for each in BOARDS)
    }
