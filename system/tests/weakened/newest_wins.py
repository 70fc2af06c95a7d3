"""A backend in which the last message to arrive wins, however old its observation is."""

from __future__ import annotations

from system.backend import statements
from system.tests.weakened import run_given

if __name__ == "__main__":
    statements.UPSERT_MATCHES = statements.UPSERT_MATCHES.replace(statements.NEWEST_WINS, "")
    run_given()
