"""Seasons that many tests look at; they never change, so they are made once."""

from __future__ import annotations

from datetime import datetime

import pytest

from lab.workload.league.season import Season

MOMENTS = 12


@pytest.fixture(scope="session")
def season() -> Season:
    """A season of the usual size."""
    return Season.generate(7)


@pytest.fixture(scope="session")
def moments(season: Season) -> list[datetime]:
    """As many moments of it as the index of the site shows."""
    return season.moments(MOMENTS)
