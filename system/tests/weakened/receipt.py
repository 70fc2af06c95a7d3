"""A backend that writes one more receipt for a message that it has applied before."""

from __future__ import annotations

import psycopg

from system.backend import statements
from system.settings import BackendSettings, load
from system.tests.weakened import run_given


def weaken() -> None:
    """Switch the receipt off."""
    statements.INSERT_RECEIPTS = statements.INSERT_RECEIPTS.replace("ON CONFLICT DO NOTHING", "")
    _allow_doubles()


def _allow_doubles() -> None:
    url = load(BackendSettings).database_url.get_secret_value()
    with psycopg.connect(url) as connection:
        connection.execute(
            "ALTER TABLE IF EXISTS receipts DROP CONSTRAINT IF EXISTS receipts_message"
        )


if __name__ == "__main__":
    weaken()
    run_given()
