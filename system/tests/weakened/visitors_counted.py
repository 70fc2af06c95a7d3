"""A backend to which every team that plays in a division, if only once, is one of its teams."""

from __future__ import annotations

from system.backend import queries
from system.tests.weakened import run_given

if __name__ == "__main__":
    queries._members = lambda connection, filters: None
    run_given()
