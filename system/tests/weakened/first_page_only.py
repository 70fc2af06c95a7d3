"""A scraper that takes every page for the last one, and says nothing of it."""

from __future__ import annotations

from system.scraper.parsing import table
from system.scraper.parsing.pagination import Pagination
from system.tests.weakened import run_given

if __name__ == "__main__":
    table.pagination = lambda tree: Pagination()  # type: ignore[attr-defined]
    run_given()
