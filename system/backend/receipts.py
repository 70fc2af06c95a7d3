"""Read the receipts, page by page, without ever skipping one.

Numbers are given out in the order in which transactions ask, but become visible in the order in
which they commit: a reader that only remembers the highest number misses one that commits late. So
receipts are read in the order of their transactions, and only up to the oldest transaction that is
still running: everything below it is final.

The price: a transaction left open anywhere in the PostgreSQL server delays this reading (never the
writing). Those of the backend are bounded in time; see `database`.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

import psycopg
from psycopg.rows import dict_row

from system.backend.errors import ApiError
from system.contract.submission import Receipt

LIMIT_MAX = 5000
START = "0.0"
CURSOR_PATTERN = r"^[0-9]{1,20}\.[0-9]{1,19}$"

READ = """
SELECT xid::text || '.' || seq AS cursor, message_id, identity, match_id, effect, way, attempt,
    observed_at, observed_from, published_at, received_at, committed_at, sent
FROM receipts
WHERE (xid, seq) > (%(xid)s::text::xid8, %(seq)s::bigint)
    AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xid, seq
LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """Some receipts, and the cursor after the last of them."""

    receipts: list[Receipt]
    next: str


def read_page(connection: psycopg.Connection, after: str, limit: int) -> ReceiptPage:
    """Return up to `limit` receipts after the cursor `after`; START begins at the first.

    Raises:
        ApiError: `after` is no cursor.
    """
    xid, seq = _numbers(after)
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(READ, {"xid": str(xid), "seq": seq, "limit": limit})
        receipts = [Receipt.model_validate(row) for row in cursor]
    return ReceiptPage(receipts, receipts[-1].cursor if receipts else after)


def _numbers(cursor: str) -> tuple[int, int]:
    xid, seq = map(int, cursor.split("."))
    if xid >= 2**64 or seq >= 2**63:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "invalid_cursor",
            "`after` is not a cursor that this API gave out.",
        )
    return xid, seq
