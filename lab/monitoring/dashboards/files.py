"""The dashboards as Grafana's JSON: one file for each board, in this folder."""

from __future__ import annotations

from pathlib import Path

from lab.monitoring.dashboards import chaos, overview, rabbitmq, slo, workers

FOLDER = Path(__file__).parent


def pages() -> dict[Path, str]:
    """The content of each file."""
    boards = (each.draw() for each in (overview, rabbitmq, workers, slo, chaos))
    return {FOLDER / f"{board.name}.json": board.as_json() for board in boards}
