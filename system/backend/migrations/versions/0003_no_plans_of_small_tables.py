"""No statistics of tables that are nearly empty: the plans that follow from them are kept too long.

Where a table has some dozen rows, reading all of it, or of an index, is as cheap as looking up keys
in it. PostgreSQL keeps such a plan until the table is analysed or vacuumed anew, a minute later at
best, and by then it may have a hundred thousand rows, each of which every batch has read. Of a
table that was never looked at it assumes ten pages, which makes it look up keys.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = ("identities", "matches", "receipts", "teams")
CHANGES = 1000
"""So many rows must have changed before autovacuum looks at a table."""
_SETTINGS = ("autovacuum_analyze_threshold", "autovacuum_vacuum_threshold")


def upgrade() -> None:
    """Takes no lock that a writer or reader waits for."""
    values = ", ".join(f"{setting} = {CHANGES}" for setting in _SETTINGS)
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} SET ({values})")
