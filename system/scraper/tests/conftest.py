"""The scraper's command, run as a person or a scheduler runs it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

CLEAN = {
    **{k: v for k, v in os.environ.items() if not k.startswith("MISSING_TABLE_")},
    "PYTHONPATH": str(Path(__file__).parents[3]),
}
"""An environment without settings."""
Scraper = Callable[..., subprocess.CompletedProcess[str]]
"""Takes the folder that it runs in, the arguments, and settings by name."""


@pytest.fixture(scope="session")
def scraper(run_python: Scraper) -> Scraper:
    """Run the scraper without settings but those that are given."""

    def run(cwd: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        env = {**CLEAN, "COLUMNS": "100", **more}
        return run_python("system.scraper", *arguments, env=env, cwd=cwd)

    return run


def counting(folder: Path, **more: str) -> dict[str, str]:
    """The environment of a scraper that keeps metrics, and whose matches wait in the outbox."""
    return {
        **CLEAN,
        "MISSING_TABLE_METRICS_FOLDER": str(folder / "metrics"),
        "MISSING_TABLE_OUTBOX": str(folder / "outbox.sqlite"),
        # Nobody listens there.
        "MISSING_TABLE_API_URL": "http://127.0.0.1:1",
        "MISSING_TABLE_API_TOKEN": "token",
        **more,
    }


@pytest.fixture(scope="session")
def counting_scraper(run_python: Scraper) -> Scraper:
    """Run the scraper with its metrics and its outbox in the folder that is given."""

    def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run_python("system.scraper", *arguments, env=counting(folder, **more))

    return run
